"""The back-off of crashing containers (CrashLoopBackOff). Pure.

The first restart is immediate. The second waits 10 s, and each further one twice as long, up to 5 minutes. A
container that has run for 10 minutes starts over.
"""

from dataclasses import dataclass

INITIAL = 10.0
MAXIMUM = 300.0
RESET_AFTER = 2 * MAXIMUM


@dataclass(frozen=True, slots=True)
class Backoff:
    """The back-off of one container. `delay` counts from the container's exit; `since` is when it was last raised."""

    delay: float = 0.0
    since: float = 0.0

    def wait_until(self, finished_at: float) -> float:
        """When a container that exited at `finished_at` may start again."""
        if self.delay == 0.0 or finished_at - self.since > RESET_AFTER:
            return 0.0
        return finished_at + self.delay

    def next(self, now: float, finished_at: float) -> "Backoff":
        """The back-off after one more start."""
        if self.delay == 0.0 or finished_at - self.since > RESET_AFTER:
            return Backoff(INITIAL, now)
        return Backoff(min(self.delay * 2, MAXIMUM), now)


def go_duration(seconds: float) -> str:
    """A duration in Go's notation: `10s`, `2m40s`, `5m0s`."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    text = f"{hours}h" if hours else ""
    if minutes or hours:
        text += f"{minutes}m"
    return f"{text}{left}s"

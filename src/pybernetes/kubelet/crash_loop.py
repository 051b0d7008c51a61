"""How long a container that keeps ending must wait before it is started again. Pure.

10 s after the first repetition, doubled with each further one, at most 5 min; forgotten once a run has lasted
10 min.
"""

from dataclasses import dataclass

INITIAL = 10.0
MAXIMUM = 300.0
RESET_AFTER = 2 * MAXIMUM


@dataclass(frozen=True, slots=True)
class Backoff:
    """`delay` counts from the container's end; `since` is when the delay was last raised."""

    delay: float = 0.0
    since: float = 0.0

    def wait_until(self, finished_at: float) -> float:
        """When a container that ended at `finished_at` may start again."""
        if self.delay == 0.0 or finished_at - self.since > RESET_AFTER:
            return 0.0
        return finished_at + self.delay

    def next(self, now: float, finished_at: float) -> "Backoff":
        """The back-off after one more start."""
        if self.delay == 0.0 or finished_at - self.since > RESET_AFTER:
            return Backoff(INITIAL, now)
        return Backoff(min(self.delay * 2, MAXIMUM), now)


def go_duration(seconds: float) -> str:
    """As the original writes it: `10s`, `2m40s`, `5m0s`."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    text = f"{hours}h" if hours else ""
    if minutes or hours:
        text += f"{minutes}m"
    return f"{text}{left}s"

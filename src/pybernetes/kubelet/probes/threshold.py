"""From single tries to a finding: how many in a row it takes. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Streak:
    """Tries with the same outcome in a row; `finding` is None until a threshold has been reached."""

    finding: bool | None = None
    last: bool | None = None
    length: int = 0

    def after(self, ok: bool, *, successes: int, failures: int) -> "Streak":
        """The streak after one more try."""
        length = self.length + 1 if ok == self.last else 1
        reached = length >= (successes if ok else failures)
        return Streak(ok if reached else self.finding, ok, length)

"""Time stamps of the API to datetimes and back, where an absent stamp is an answer too."""

from datetime import datetime

from pybernetes.api import time
from pybernetes.api.meta import MicroTime, Time

stamp = time.seconds
micro = time.micros


def parse(text: Time | MicroTime) -> datetime | None:
    """The moment of a stamp; None when it is absent. The server lets only good stamps in."""
    return time.parse(text) if text else None


def elapsed(since: Time | MicroTime, now: datetime) -> float:
    """Seconds from a stamp to `now`; infinite when the stamp is absent."""
    then = parse(since)
    return float("inf") if then is None else (now - then).total_seconds()

"""Converts times of the API to datetimes and back; a time may be absent."""

from datetime import datetime

from pybernetes.api import time
from pybernetes.api.meta import MicroTime, Time

stamp = time.seconds
micro = time.micros


def parse(text: Time | MicroTime) -> datetime | None:
    """The datetime of a time; None when it is absent. The server accepts valid times only."""
    return time.parse(text) if text else None


def elapsed(since: Time | MicroTime, now: datetime) -> float:
    """Seconds from a time to `now`; infinite when the time is absent."""
    then = parse(since)
    return float("inf") if then is None else (now - then).total_seconds()

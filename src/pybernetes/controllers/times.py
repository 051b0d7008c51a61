"""Time stamps of the API to datetimes and back."""

from datetime import UTC, datetime

from pybernetes.api.meta import MicroTime, Time


def stamp(when: datetime) -> Time:
    """`2026-01-02T15:04:05Z`"""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro(when: datetime) -> MicroTime:
    """`2026-01-02T15:04:05.000000Z`"""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: Time | MicroTime) -> datetime | None:
    """The moment of a stamp; None when it is absent."""
    if not text:
        return None
    return datetime.fromisoformat(text)


def elapsed(since: Time | MicroTime, now: datetime) -> float:
    """Seconds from a stamp to `now`; infinite when the stamp is absent."""
    then = parse(since)
    return float("inf") if then is None else (now - then).total_seconds()

"""Times and ages."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import duration, time

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (-0.5, "0s"),
        (0, "0s"),
        (119.9, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (10 * MINUTE - 1, "9m59s"),
        (10 * MINUTE + 1, "10m"),
        (3 * HOUR - 1, "179m"),
        (3 * HOUR, "3h"),
        (5 * HOUR + 12 * MINUTE, "5h12m"),
        (8 * HOUR + 12 * MINUTE, "8h"),
        (47 * HOUR, "47h"),
        (2 * DAY, "2d"),
        (2 * DAY + 3 * HOUR, "2d3h"),
        (8 * DAY + 3 * HOUR, "8d"),
        (2 * YEAR - 1, "729d"),
        (2 * YEAR + 30 * DAY, "2y30d"),
        (8 * YEAR + 30 * DAY, "8y"),
    ],
)
def test_human(seconds: float, text: str) -> None:
    assert duration.human(seconds) == text


def test_age() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert duration.age("2026-01-01T23:59:30Z", now) == "30s"
    assert duration.age("2026-01-01T23:59:30.500000Z", now) == "29s"
    assert duration.age("", now) == "<unknown>"


def test_formats() -> None:
    moment = datetime(2026, 1, 2, 17, 4, 5, 600, tzinfo=timezone(timedelta(hours=2)))
    assert time.seconds(moment) == "2026-01-02T15:04:05Z"
    assert time.micros(moment) == "2026-01-02T15:04:05.000600Z"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T15:04:05Z", datetime(2026, 1, 2, 15, 4, 5, tzinfo=UTC)),
        ("2026-01-02T17:04:05+02:00", datetime(2026, 1, 2, 15, 4, 5, tzinfo=UTC)),
        ("2026-01-02t15:04:05.123456789z", datetime(2026, 1, 2, 15, 4, 5, 123456, tzinfo=UTC)),
        ("2026-01-02T15:04:05.1Z", datetime(2026, 1, 2, 15, 4, 5, 100000, tzinfo=UTC)),
    ],
)
def test_parse(text: str, moment: datetime) -> None:
    assert time.parse(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-01-02",
        "2026-13-02T15:04:05Z",
        "0001-01-01T00:00:00+23:59",
        "2026-01-02T15:04:05",
        "٢٠٢٦-01-02T15:04:05Z",
    ],
)
def test_not_a_time(text: str) -> None:
    with pytest.raises(ValueError):
        time.parse(text)


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9000, 1, 1), timezones=st.just(UTC)))
def test_round_trip(moment: datetime) -> None:
    assert time.parse(time.micros(moment)) == moment
    assert time.parse(time.seconds(moment)) == moment.replace(microsecond=0)

"""Log lines have the format that parsers of klog expect."""

import logging
import re
import time

import pytest

from pybernetes.cli.klog import KlogFormatter


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def line(level: int, message: str, created: float = 1634724499.489007) -> str:
    record = logging.LogRecord("pybernetes.flannel.daemon", level, "/src/daemon.py", 133, message, None, None)
    record.created, record.process = created, 9372
    return KlogFormatter().format(record)


def test_a_line() -> None:
    assert line(logging.INFO, "Running backend.") == "I1020 10:08:19.489007    9372 daemon.py:133] Running backend."


@pytest.mark.parametrize(("level", "letter"), [(10, "I"), (20, "I"), (30, "W"), (40, "E"), (50, "F"), (5, "I")])
def test_severities(level: int, letter: str) -> None:
    assert line(level, "x").startswith(f"{letter}1020 ")


@pytest.mark.parametrize("created", [0.0, 1634724499.9999999, 1.5])
def test_microseconds_always_have_six_digits(created: float) -> None:
    assert re.match(r"I\d{4} \d\d:\d\d:\d\d\.\d{6} +9372 daemon\.py:133\] x$", line(logging.INFO, "x", created))


def test_a_message_with_several_lines() -> None:
    assert line(logging.ERROR, "one\ntwo").endswith("] one\ntwo")

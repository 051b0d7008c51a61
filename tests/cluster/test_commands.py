"""The system's own tools, and how their failures are told."""

import pytest

from pybernetes.cluster.commands import run, succeeds
from pybernetes.cluster.errors import CommandFailed, ConfigError


def test_output_or_failure() -> None:
    assert run(["sh", "-c", "cat"], stdin="words") == "words"
    with pytest.raises(CommandFailed, match="exited with 3: why") as caught:
        run(["sh", "-c", "echo why >&2; exit 3"])
    assert caught.value.code == 3
    assert not succeeds(["false"])


def test_a_program_that_is_missing() -> None:
    with pytest.raises(ConfigError, match="pybernetes doctor"):
        run(["pbt-no-such-program"])


def test_a_full_disk_is_told_with_its_fix() -> None:
    with pytest.raises(CommandFailed, match="make room"):
        run(["sh", "-c", "echo 'write data: no space left on device: unknown' >&2; exit 1"])


def test_no_end() -> None:
    with pytest.raises(CommandFailed, match="no end after"):
        run(["sleep", "5"], timeout=0.05)

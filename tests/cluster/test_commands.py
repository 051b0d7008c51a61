"""Programs of the system, and how their failures are reported."""

import pytest

from pybernetes.cluster.commands import run, succeeds
from pybernetes.cluster.errors import CommandFailed, ConfigError


def test_output_or_failure() -> None:
    assert run(["sh", "-c", "cat"], stdin="words") == "words"
    with pytest.raises(CommandFailed, match="exited with 3: why") as caught:
        run(["sh", "-c", "echo why >&2; exit 3"])
    assert caught.value.code == 3
    assert not succeeds(["false"])


def test_a_missing_program() -> None:
    with pytest.raises(ConfigError, match="pybernetes doctor"):
        run(["pbt-no-such-program"])


def test_a_full_disk_is_reported_with_the_fix() -> None:
    with pytest.raises(CommandFailed, match="free some space"):
        run(["sh", "-c", "echo 'write data: no space left on device: unknown' >&2; exit 1"])


def test_a_timeout() -> None:
    with pytest.raises(CommandFailed, match="did not exit within"):
        run(["sleep", "5"], timeout=0.05)

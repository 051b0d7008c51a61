"""Specs, pid files and states as text; delays of restarts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.cluster.processes import ProcessId
from pybernetes.cluster.spec import (
    LONGEST_DELAY,
    PidFile,
    ProcessSpec,
    ProcessState,
    SupervisorState,
    decode_pid_file,
    decode_specs,
    decode_state,
    encode_pid_file,
    encode_specs,
    encode_state,
    restart_delay,
    same_process,
)

SPEC = ProcessSpec("x", ("sleep", "1"), "/tmp/x.log", env={"A": "b"}, cgroup="/c", stage=2)


def test_encoding_round_trip() -> None:
    assert decode_specs(encode_specs([SPEC])) == [SPEC]
    file = PidFile(ProcessId(5, 7), SPEC)
    assert decode_pid_file(encode_pid_file(file)) == file
    state = SupervisorState(ProcessId(1, 2), (ProcessState("x", "running", 5, 7, 1.5, 2, "signal 9"),))
    assert decode_state(encode_state(state)) == state


@pytest.mark.parametrize("text", ["", "{", "{}", "5", "null", '[{"name": "x"}]', '[{"argv": 5}]', '{"pid": "x"}'])
def test_invalid_text_is_a_value_error(text: str) -> None:
    for decode in (decode_pid_file, decode_state):
        with pytest.raises(ValueError):
            decode(text)
    if text != "{}":
        with pytest.raises(ValueError):
            decode_specs(text)


@given(st.lists(st.floats(0, 9.9), min_size=1, max_size=40))
def test_delays_grow_to_a_limit(lives: list[float]) -> None:
    failures, last = 0, 0.0
    for life in lives:
        failures, delay = restart_delay(failures, life)
        assert last <= delay <= LONGEST_DELAY
        last = delay
    assert restart_delay(failures, 60.0) == restart_delay(0, 60.0) == (1, 0.05)


def test_changes_that_need_a_new_process() -> None:
    assert same_process(SPEC, SPEC._replace(grace=1.0, wanted=False, stage=0))
    assert not same_process(SPEC, SPEC._replace(argv=("sleep", "2")))
    assert not same_process(SPEC, SPEC._replace(env={}))

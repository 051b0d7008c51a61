"""What the supervisor is told and what it tells: process specs, pid files, state. Plain JSON, no I/O.

Only light imports: the supervisor lives as long as the cluster and should cost next to nothing.
"""

import json
from typing import Any, NamedTuple

from pybernetes.cluster.processes import ProcessId


class ProcessSpec(NamedTuple):
    """One process to keep running."""

    name: str
    argv: tuple[str, ...]
    log: str
    env: dict[str, str] = {}
    """Added to the supervisor's environment."""
    netns: str = ""
    """Path of the network namespace to enter; empty for the host's."""
    cgroup: str = ""
    """Cgroup to enter, such as '/pybernetes/dev/node-1/daemons'; empty to stay."""
    stage: int = 0
    """Started from the lowest stage to the highest, stopped the other way round."""
    restart: bool = True
    """Whether an end that nobody asked for is followed by a new start."""
    wanted: bool = True
    """False keeps it stopped (a node switched off) without forgetting it."""
    grace: float = 5.0
    """Seconds between SIGTERM and SIGKILL."""
    log_limit: int = 16 << 20
    """Bytes after which the log becomes `<log>.1` and begins anew."""


class PidFile(NamedTuple):
    """What a started process leaves behind, so that a later supervisor can take it over."""

    process: ProcessId
    spec: ProcessSpec


class ProcessState(NamedTuple):
    """A line of `status`."""

    name: str
    state: str
    """running, waiting (for its next start), stopping, stopped or exited."""
    pid: int = 0
    start: int = 0
    since: float = 0.0
    """Unix time of the last change of state."""
    restarts: int = 0
    exit: str = ""
    """How it ended last: 'exit 1', 'signal 9', 'unknown'."""


class SupervisorState(NamedTuple):
    """Content of state.json."""

    supervisor: ProcessId
    processes: tuple[ProcessState, ...]


FIRST_DELAY, LONGEST_DELAY, CALM = 0.05, 10.0, 10.0


def restart_delay(failures: int, ran: float) -> tuple[int, float]:
    """Failures in a row and seconds until the next start, after an end at `ran` seconds of life.

    50 ms, doubling to 10 s; a process that ran for 10 s begins a new row.
    """
    failures = 1 if ran >= CALM else failures + 1
    return failures, min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(failures - 1, 16))


def same_process(old: ProcessSpec, new: ProcessSpec) -> bool:
    """Whether a process started from `old` may go on running under `new`."""
    return (old.argv, old.env, old.netns, old.cgroup, old.log) == (new.argv, new.env, new.netns, new.cgroup, new.log)


def encode_specs(specs: list[ProcessSpec]) -> str:
    """JSON of the spec file."""
    return json.dumps([spec._asdict() for spec in specs], indent=1)


def decode_specs(text: str) -> list[ProcessSpec]:
    """Read the spec file; ValueError if it is none."""
    try:
        return [_spec(item) for item in json.loads(text)]
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a list of process specs: {error}") from error


def encode_pid_file(file: PidFile) -> str:
    """JSON of a pid file."""
    return json.dumps({"pid": file.process.pid, "start": file.process.start, "spec": file.spec._asdict()})


def decode_pid_file(text: str) -> PidFile:
    """Read a pid file; ValueError if it is none."""
    try:
        item = json.loads(text)
        return PidFile(ProcessId(int(item["pid"]), int(item["start"])), _spec(item["spec"]))
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a pid file: {error}") from error


def encode_state(state: SupervisorState) -> str:
    """JSON of state.json."""
    rows = [row._asdict() for row in state.processes]
    return json.dumps({"supervisor": state.supervisor._asdict(), "processes": rows}, indent=1)


def decode_state(text: str) -> SupervisorState:
    """Read state.json; ValueError if it is none."""
    try:
        item = json.loads(text)
        rows = tuple(ProcessState(**row) for row in item["processes"])
        return SupervisorState(ProcessId(**item["supervisor"]), rows)
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a supervisor's state: {error}") from error


def _spec(item: Any) -> ProcessSpec:
    return ProcessSpec(**{**item, "argv": tuple(item["argv"])})

"""The files of the supervisor: process specs, pid files, state. Plain JSON, no I/O.

It has only light imports, because the supervisor runs as long as the cluster and should use little memory.
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
    """Path of the network namespace to enter; empty for the host's namespace."""
    cgroup: str = ""
    """Cgroup to enter, such as '/pybernetes/dev/node-1/daemons'; empty for the supervisor's own."""
    stage: int = 0
    """Processes start from the lowest stage to the highest and stop in reverse order."""
    restart: bool = True
    """Whether to restart the process after an unexpected exit."""
    wanted: bool = True
    """False keeps the process stopped (a stopped node) without removing its spec."""
    grace: float = 5.0
    """Seconds between SIGTERM and SIGKILL."""
    log_limit: int = 16 << 20
    """Size in bytes above which the log is rotated to `<log>.1`."""


class PidFile(NamedTuple):
    """Written for a started process, so that a later supervisor can adopt it."""

    process: ProcessId
    spec: ProcessSpec


class ProcessState(NamedTuple):
    """The state of a process, a line of `status`."""

    name: str
    state: str
    """running, waiting (for its next start), stopping, stopped or exited."""
    pid: int = 0
    start: int = 0
    since: float = 0.0
    """Unix time of the last change of state."""
    restarts: int = 0
    exit: str = ""
    """How it last exited: 'exit 1', 'signal 9', 'unknown'."""


class SupervisorState(NamedTuple):
    """Content of state.json."""

    supervisor: ProcessId
    processes: tuple[ProcessState, ...]


FIRST_DELAY, LONGEST_DELAY, CALM = 0.05, 10.0, 10.0


def restart_delay(failures: int, ran: float) -> tuple[int, float]:
    """The number of consecutive failures and the seconds until the next start, after a run of `ran` seconds.

    The delay is 50 ms, doubling up to 10 s; a run of 10 s resets the count.
    """
    failures = 1 if ran >= CALM else failures + 1
    return failures, min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(failures - 1, 16))


def same_process(old: ProcessSpec, new: ProcessSpec) -> bool:
    """Whether a process started from `old` may continue under `new`."""
    return (old.argv, old.env, old.netns, old.cgroup, old.log) == (new.argv, new.env, new.netns, new.cgroup, new.log)


def encode_specs(specs: list[ProcessSpec]) -> str:
    """JSON of the spec file."""
    return json.dumps([spec._asdict() for spec in specs], indent=1)


def decode_specs(text: str) -> list[ProcessSpec]:
    """Parse the spec file. Raises ValueError."""
    try:
        return [_spec(item) for item in json.loads(text)]
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a list of process specs: {error}") from error


def encode_pid_file(file: PidFile) -> str:
    """JSON of a pid file."""
    return json.dumps({"pid": file.process.pid, "start": file.process.start, "spec": file.spec._asdict()})


def decode_pid_file(text: str) -> PidFile:
    """Parse a pid file. Raises ValueError."""
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
    """Parse state.json. Raises ValueError."""
    try:
        item = json.loads(text)
        rows = tuple(ProcessState(**row) for row in item["processes"])
        return SupervisorState(ProcessId(**item["supervisor"]), rows)
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a supervisor's state: {error}") from error


def _spec(item: Any) -> ProcessSpec:
    return ProcessSpec(**{**item, "argv": tuple(item["argv"])})

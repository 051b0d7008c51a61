"""Configure a cluster's supervisor and read its state.

    specs ──write──> processes.json ──SIGHUP──> supervisor ──> processes
                                                    └────────> state.json ──> status

Both sides communicate only through files and signals, so this works after a kill -9 of either.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from signal import SIGHUP

from pybernetes.cluster.errors import ConfigError, StartTimeout
from pybernetes.cluster.files import write_atomic
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.processes import ProcessId, is_alive, send, stop
from pybernetes.cluster.spec import ProcessSpec, SupervisorState, decode_specs, decode_state, encode_specs

_PATIENCE = 10.0


def supervise(layout: Layout, specs: list[ProcessSpec]) -> SupervisorState:
    """Make exactly these the cluster's processes; starts the supervisor if none is running.

    Processes that run from the same spec are not touched. Returns once the supervisor has read the specs, before the
    processes are ready.
    """
    names = [spec.name for spec in specs]
    if len(set(names)) != len(names):
        raise ValueError(f"process names must differ: {names}")
    write_atomic(layout.supervisor_spec, encode_specs(specs), 0o600)
    before = _state_stamp(layout)
    running = status(layout)
    if running is not None and is_alive(running.supervisor) and send(running.supervisor, SIGHUP):
        return _await_state(layout, before)
    _launch(layout)
    return _await_state(layout, before)


def read_specs(layout: Layout) -> list[ProcessSpec]:
    """The specs of the last call of `supervise`."""
    try:
        return decode_specs(layout.supervisor_spec.read_text())
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise ConfigError(f"{layout.supervisor_spec} is damaged ({error}); run 'pybernetes up' again") from error


def set_wanted(layout: Layout, names: set[str], wanted: bool) -> SupervisorState:
    """Stop or start some processes without touching the others, for `node stop` and `node start`."""
    specs = read_specs(layout)
    unknown = names - {spec.name for spec in specs}
    if unknown:
        raise ConfigError(
            f"no process {', '.join(sorted(unknown))} in cluster {layout.cluster!r}; "
            f"there are {', '.join(spec.name for spec in specs)}"
        )
    return supervise(layout, [spec._replace(wanted=wanted) if spec.name in names else spec for spec in specs])


def status(layout: Layout) -> SupervisorState | None:
    """The state that the supervisor wrote last, or None. `supervisor_alive` tells whether it is current."""
    try:
        return decode_state((layout.supervisor_run / "state.json").read_text())
    except (FileNotFoundError, ValueError):
        return None


def supervisor_alive(layout: Layout) -> bool:
    """Whether a supervisor is running."""
    state = status(layout)
    return state is not None and is_alive(state.supervisor)


def stop_supervisor(layout: Layout, *, grace: float = 30.0) -> bool:
    """Make the supervisor stop all processes in order, and wait until it exits; False if none was running."""
    state = status(layout)
    if state is None or not is_alive(state.supervisor):
        return False
    stop([state.supervisor], grace=grace)
    return True


def process(layout: Layout, name: str) -> ProcessId | None:
    """The running process of that name."""
    state = status(layout)
    for row in state.processes if state is not None else ():
        if row.name == name and row.pid:
            found = ProcessId(row.pid, row.start)
            return found if is_alive(found) else None
    return None


def _launch(layout: Layout) -> None:
    layout.supervisor_run.mkdir(parents=True, exist_ok=True)
    layout.logs.mkdir(parents=True, exist_ok=True)
    module = [sys.executable, "-m", "pybernetes.cluster.supervisor"]
    arguments = [str(layout.supervisor_spec), str(layout.supervisor_run), f"{layout.cgroup}/supervisor"]
    # setsid --fork: the supervisor becomes a child of init, detached from our terminal.
    with open(layout.logs / "supervisor.log", "ab") as log:
        subprocess.run(
            ["setsid", "--fork", *module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            check=True,
        )


def _state_stamp(layout: Layout) -> int:
    path: Path = layout.supervisor_run / "state.json"
    return path.stat().st_mtime_ns if path.exists() else 0


def _await_state(layout: Layout, before: int) -> SupervisorState:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        state = status(layout)
        if state is not None and _state_stamp(layout) != before and is_alive(state.supervisor):
            return state
        time.sleep(0.005)
    raise StartTimeout(f"the supervisor did not start; its log is {layout.logs / 'supervisor.log'}")

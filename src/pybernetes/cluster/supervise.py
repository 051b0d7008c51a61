"""Telling a cluster's supervisor what to run, and reading what runs.

    specs ──write──> processes.json ──SIGHUP──> supervisor ──> processes
                                                    └────────> state.json ──> status

Everything works on files and signals, so it also works after a kill -9 of either side.
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
    """Make exactly these the cluster's processes; starts a supervisor unless one is at work.

    Processes that already run from the same spec are left alone. Returns when the supervisor has taken
    note, which is before the processes are ready.
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
    """The specs last given to `supervise`; none if there were none."""
    try:
        return decode_specs(layout.supervisor_spec.read_text())
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise ConfigError(f"{layout.supervisor_spec} is damaged ({error}); run 'pybernetes up' again") from error


def set_wanted(layout: Layout, names: set[str], wanted: bool) -> SupervisorState:
    """Stop or start some processes and let the others be, as `node stop` and `node start` need it."""
    specs = read_specs(layout)
    unknown = names - {spec.name for spec in specs}
    if unknown:
        raise ConfigError(
            f"no process {', '.join(sorted(unknown))} in cluster {layout.cluster!r}; "
            f"there are {', '.join(spec.name for spec in specs)}"
        )
    return supervise(layout, [spec._replace(wanted=wanted) if spec.name in names else spec for spec in specs])


def status(layout: Layout) -> SupervisorState | None:
    """What the supervisor last wrote; None if there is none. Ask `supervisor_alive` whether it still holds."""
    try:
        return decode_state((layout.supervisor_run / "state.json").read_text())
    except (FileNotFoundError, ValueError):
        return None


def supervisor_alive(layout: Layout) -> bool:
    """Whether a supervisor is at work."""
    state = status(layout)
    return state is not None and is_alive(state.supervisor)


def stop_supervisor(layout: Layout, *, grace: float = 30.0) -> bool:
    """Have the supervisor stop all processes in order and wait for its end; False if none was there."""
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
    # setsid --fork: the supervisor belongs to init, and neither to our terminal nor to us.
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

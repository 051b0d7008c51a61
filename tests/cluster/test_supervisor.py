"""The supervisor with real processes: exits, kills, adoption, changed specs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pybernetes.cluster.down import halt
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.inventory import Roots
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.processes import ProcessId, identify, is_alive, send
from pybernetes.cluster.spec import ProcessSpec, ProcessState
from pybernetes.cluster.supervise import (
    process,
    read_specs,
    set_wanted,
    status,
    stop_supervisor,
    supervise,
    supervisor_alive,
)
from pybernetes.linux import mount

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


@pytest.fixture
def layout(roots: Roots, name: str) -> Layout:
    return Layout(name, 0, state_root=roots.state, run_root=roots.run)


def sleeper(layout: Layout, name: str, *, stage: int = 0) -> ProcessSpec:
    return ProcessSpec(
        name, ("sleep", "1000"), str(layout.logs / f"{name}.log"), cgroup=f"{layout.cgroup}/x", stage=stage
    )


def script(layout: Layout, name: str, code: str) -> ProcessSpec:
    return sleeper(layout, name)._replace(argv=(sys.executable, "-u", "-c", code))


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.005)


def row(layout: Layout, name: str) -> ProcessState:
    state = status(layout)
    assert state is not None
    return next(row for row in state.processes if row.name == name)


def pid(layout: Layout, name: str) -> ProcessId:
    until(lambda: process(layout, name) is not None)
    found = process(layout, name)
    assert found is not None
    return found


def test_a_killed_process_is_restarted_and_the_others_keep_running(layout: Layout) -> None:
    supervise(layout, [sleeper(layout, "a"), sleeper(layout, "b")])
    a, b = pid(layout, "a"), pid(layout, "b")
    send(a, signal.SIGKILL)
    until(lambda: row(layout, "a").restarts == 1 and process(layout, "a") is not None)
    assert row(layout, "a").exit == "signal 9"
    assert pid(layout, "a") != a
    assert pid(layout, "b") == b


def test_the_same_specs_change_nothing(layout: Layout) -> None:
    specs = [sleeper(layout, "a")]
    first = supervise(layout, specs).supervisor
    a = pid(layout, "a")
    assert supervise(layout, specs).supervisor == first
    assert pid(layout, "a") == a


def test_the_next_supervisor_adopts_the_processes_of_a_killed_one(layout: Layout) -> None:
    specs = [sleeper(layout, "a"), sleeper(layout, "b")]
    first = supervise(layout, specs).supervisor
    a, b = pid(layout, "a"), pid(layout, "b")
    send(first, signal.SIGKILL)
    until(lambda: not supervisor_alive(layout))
    send(b, signal.SIGKILL)
    until(lambda: not is_alive(b))
    second = supervise(layout, specs).supervisor
    assert second != first
    assert pid(layout, "a") == a
    assert pid(layout, "b") != b
    # Adopted processes are watched like children.
    send(a, signal.SIGKILL)
    until(lambda: process(layout, "a") not in (None, a))
    assert row(layout, "a").exit == "unknown"


def test_a_reused_pid_is_not_adopted(layout: Layout) -> None:
    spec = sleeper(layout, "a")
    supervisor = supervise(layout, [spec]).supervisor
    a = pid(layout, "a")
    send(supervisor, signal.SIGKILL)
    send(a, signal.SIGKILL)
    until(lambda: not is_alive(a) and not is_alive(supervisor))
    file = layout.supervisor_run / "a.pid"
    innocent = subprocess.Popen(["sleep", "1000"])
    try:
        # As if another process had the pid of the previous one: same number, other start time.
        file.write_text(file.read_text().replace(f'"pid": {a.pid}', f'"pid": {innocent.pid}'))
        supervise(layout, [])
        until(lambda: not file.exists())
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_changed_removed_and_new_processes(layout: Layout) -> None:
    supervise(layout, [sleeper(layout, "changed"), sleeper(layout, "removed"), sleeper(layout, "same")])
    before = {name: pid(layout, name) for name in ("changed", "removed", "same")}
    changed = sleeper(layout, "changed")._replace(argv=("sleep", "2000"))
    supervise(layout, [changed, sleeper(layout, "same"), sleeper(layout, "new")])
    until(lambda: not is_alive(before["removed"]) and not is_alive(before["changed"]))
    until(lambda: process(layout, "changed") is not None and process(layout, "new") is not None)
    assert pid(layout, "same") == before["same"]


def test_stopping_and_starting_a_process(layout: Layout) -> None:
    supervise(layout, [sleeper(layout, "a")])
    a = pid(layout, "a")
    set_wanted(layout, {"a"}, False)
    until(lambda: row(layout, "a").state == "stopped")
    assert not is_alive(a)
    set_wanted(layout, {"a"}, True)
    assert pid(layout, "a") != a
    with pytest.raises(ConfigError, match="there are a"):
        set_wanted(layout, {"b"}, True)


def test_a_failing_program_is_restarted_with_back_off(layout: Layout) -> None:
    supervise(layout, [sleeper(layout, "bad")._replace(argv=("/no/such/program",)), script(layout, "quick", "1/0")])
    until(lambda: row(layout, "bad").restarts >= 3 and row(layout, "quick").restarts >= 2)
    assert row(layout, "bad").exit == "exit 127"
    assert row(layout, "quick").exit == "exit 1"
    assert "cannot start bad" in (layout.logs / "bad.log").read_text()
    assert "ZeroDivisionError" in (layout.logs / "quick.log").read_text()
    assert supervisor_alive(layout)


def test_a_process_without_restart_stays_exited(layout: Layout) -> None:
    supervise(layout, [script(layout, "once", "pass")._replace(restart=False)])
    until(lambda: row(layout, "once").state == "exited")
    assert row(layout, "once").exit == "exit 0"
    assert row(layout, "once").restarts == 0


def test_the_highest_stage_stops_first_and_processes_that_ignore_sigterm_are_killed(
    layout: Layout, tmp_path: Path
) -> None:
    order = tmp_path / "order"
    code = (
        "import signal,sys,time\n"
        f"def end(*_):\n open({str(order)!r},'a').write(sys.argv[1]);time.sleep(.05);sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\nprint('up')\ntime.sleep(1000)"
    )
    polite = [
        script(layout, f"p{stage}", code)._replace(argv=(sys.executable, "-u", "-c", code, str(stage)), stage=stage)
        for stage in (0, 1, 2)
    ]
    deaf_code = "import signal,time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up')\ntime.sleep(1000)"
    deaf = script(layout, "deaf", deaf_code)._replace(stage=1, grace=0.1)
    supervise(layout, [*polite, deaf])
    for spec in (*polite, deaf):
        until(lambda spec=spec: Path(spec.log).exists() and "up" in Path(spec.log).read_text())  # type: ignore[misc]
    stubborn = pid(layout, "deaf")
    assert stop_supervisor(layout)
    assert order.read_text() == "210"
    assert not is_alive(stubborn)
    assert not supervisor_alive(layout)
    assert not stop_supervisor(layout)
    assert [path.name for path in layout.supervisor_run.iterdir()] == ["lock"]


def test_a_damaged_spec_file_does_not_stop_running_processes(layout: Layout) -> None:
    supervisor = supervise(layout, [sleeper(layout, "a")]).supervisor
    a = pid(layout, "a")
    layout.supervisor_spec.write_text("rubbish")
    send(supervisor, signal.SIGHUP)
    log = layout.logs / "supervisor.log"
    until(lambda: "keeping the current processes" in log.read_text())
    assert pid(layout, "a") == a
    with pytest.raises(ConfigError, match="run 'pybernetes up' again"):
        read_specs(layout)


def test_long_logs_are_rotated_at_the_next_start(layout: Layout) -> None:
    spec = sleeper(layout, "a")._replace(log_limit=1000)
    layout.logs.mkdir(parents=True)
    Path(spec.log).write_text("x" * 2000)
    supervise(layout, [spec])
    pid(layout, "a")
    until(lambda: Path(f"{spec.log}.1").exists() and Path(spec.log).stat().st_size == 0)


def test_the_supervisor_survives_a_full_disk(roots: Roots, name: str) -> None:
    for root in roots:
        root.mkdir(parents=True)
        mount.tmpfs(root, size=256 << 10)
    try:
        layout = Layout(name, 0, state_root=roots.state, run_root=roots.run)
        supervisor = supervise(layout, [sleeper(layout, "a")]).supervisor
        a = pid(layout, "a")
        fillers = [root / "filler" for root in roots]
        for filler in fillers:
            with pytest.raises(OSError, match="No space"):
                filler.write_bytes(b"x" * (1 << 20))
        send(a, signal.SIGKILL)
        until(lambda: not is_alive(a))
        time.sleep(0.3)
        assert is_alive(supervisor)
        for filler in fillers:
            filler.unlink()
        until(lambda: process(layout, "a") not in (None, a), seconds=15)
        stop_supervisor(layout)
    finally:
        halt(name, roots=roots)
        for root in roots:
            mount.unmount_all(root)


def test_the_supervisor_uses_little_cpu_and_memory(layout: Layout) -> None:
    supervisor = supervise(layout, [sleeper(layout, f"s{i}") for i in range(5)]).supervisor
    for i in range(5):
        pid(layout, f"s{i}")
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{supervisor.pid}/status").read_text().splitlines() if ":" in line
    )
    assert int(fields["VmRSS"].split()[0]) < 20 * 1024
    before = int(fields["voluntary_ctxt_switches"])
    time.sleep(0.5)
    status_text = Path(f"/proc/{supervisor.pid}/status").read_text()
    after = int(status_text.split("voluntary_ctxt_switches:")[1].split()[0])
    assert after - before <= 1


def test_processes_are_session_leaders_in_their_cgroup_and_inherit_nothing(layout: Layout) -> None:
    os.environ["PBT_SEEN"] = "yes"
    try:
        supervise(layout, [sleeper(layout, "a")._replace(env={"PBT_OWN": "1"})])
    finally:
        del os.environ["PBT_SEEN"]
    a = pid(layout, "a")
    assert os.getsid(a.pid) == a.pid
    assert f"{layout.cgroup}/x" in Path(f"/proc/{a.pid}/cgroup").read_text()
    until(lambda: b"sleep" in Path(f"/proc/{a.pid}/cmdline").read_bytes())
    descriptors = sorted(os.readlink(entry) for entry in Path(f"/proc/{a.pid}/fd").iterdir())
    assert descriptors == sorted(["/dev/null", str(layout.logs / "a.log"), str(layout.logs / "a.log")])
    environment = Path(f"/proc/{a.pid}/environ").read_bytes().split(b"\0")
    assert {b"PBT_OWN=1", b"PBT_SEEN=yes"} <= set(environment)
    assert identify(a.pid) == a

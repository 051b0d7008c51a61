"""The supervisor: a small process per cluster that keeps the other processes running.

It sleeps in poll() on a pidfd per process and a pipe for signals, and otherwise wakes only for due restarts and, once
a minute, to check the size of logs. SIGHUP rereads the spec file, SIGTERM stops everything in order. If the supervisor
is killed, its processes keep running, and the next supervisor adopts them by their pid files.

Run as: python -m pybernetes.cluster.supervisor SPEC_FILE RUN_DIR CGROUP
"""

import fcntl
import os
import select
import signal
import sys
import time

from pybernetes.cluster.cgroups import tracking_dirs
from pybernetes.cluster.processes import ProcessId, identify, is_alive
from pybernetes.cluster.spawn import rotate, spawn
from pybernetes.cluster.spec import (
    PidFile,
    ProcessSpec,
    ProcessState,
    SupervisorState,
    decode_pid_file,
    decode_specs,
    encode_state,
    restart_delay,
    same_process,
)

LOG_CHECK = 60.0


class Child:
    """A supervised process and its state."""

    def __init__(self, spec: ProcessSpec) -> None:
        """Not started yet, due at once."""
        self.spec = spec
        self.process: ProcessId | None = None
        self.pidfd = -1
        self.begun = 0.0
        self.due: float | None = 0.0
        """When to start it next (monotonic); None while it runs or should not run."""
        self.kill_at: float | None = None
        """When to send SIGKILL after SIGTERM; None unless it is being stopped."""
        self.failures = 0
        self.restarts = 0
        self.exit = ""
        self.since = time.time()

    @property
    def state(self) -> str:
        """The state that `status` shows."""
        if self.process is not None:
            return "running" if self.kill_at is None else "stopping"
        if self.due is not None:
            return "waiting"
        return "exited" if self.spec.wanted else "stopped"


class Supervisor:
    """All children of one cluster."""

    def __init__(self, spec_file: str, run_dir: str) -> None:
        """Starts nothing before `run`."""
        self._spec_file = spec_file
        self._run_dir = run_dir
        self._children: dict[str, Child] = {}
        self._leaving: list[Child] = []
        """Children that were removed from the spec file or replaced: they are stopped and then dropped."""
        self._by_fd: dict[int, Child] = {}
        self._poll = select.poll()
        self._ending = False
        self._changed = True
        self._next_log_check = 0.0
        self._signals, self._signals_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        """Supervise until SIGTERM, and return when all processes have exited."""
        self._listen()
        self._adopt()
        self._reload()
        while not self._ending or self._by_fd:
            self._step(time.monotonic())
            if self._changed:
                self._changed = not self._publish()
            for descriptor, _ in self._poll.poll(self._timeout(time.monotonic())):
                if descriptor == self._signals:
                    self._on_signals(os.read(self._signals, 64))
                else:
                    self._on_end(self._by_fd[descriptor])
        self._clear()

    def _listen(self) -> None:
        self._poll.register(self._signals, select.POLLIN)
        signal.set_wakeup_fd(self._signals_in)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _on_signals(self, numbers: bytes) -> None:
        if signal.SIGHUP in numbers and not self._ending:
            self._reload()
        if signal.SIGTERM in numbers:
            self._ending = True
            for child in self._children.values():
                child.due = None

    # --- what should run -----------------------------------------------------------------------
    def _adopt(self) -> None:
        """Adopt the processes of a previous supervisor."""
        for entry in sorted(os.listdir(self._run_dir)):
            if not entry.endswith(".pid"):
                continue
            path = f"{self._run_dir}/{entry}"
            file = _read_pid_file(path)
            if file is None or not is_alive(file.process):
                os.unlink(path)
                continue
            child = Child(file.spec)
            child.due = None
            self._children[file.spec.name] = child
            self._watch(child, file.process)

    def _reload(self) -> None:
        """Compare the spec file with the running processes: start, stop, replace."""
        try:
            with open(self._spec_file) as file:
                specs = {spec.name: spec for spec in decode_specs(file.read())}
        except (OSError, ValueError) as error:
            _say(f"keeping the current processes: {self._spec_file}: {error}")
            return
        former, self._children = self._children, {}
        for name, spec in sorted(specs.items(), key=lambda item: item[1].stage):
            self._children[name] = self._successor(former.pop(name, None), spec)
        for child in former.values():
            self._dismiss(child)
        self._changed = True

    def _successor(self, old: Child | None, spec: ProcessSpec) -> Child:
        if old is not None and same_process(old.spec, spec):
            was_wanted, old.spec = old.spec.wanted, spec
            if not spec.wanted:
                old.due = None
                self._ask_to_stop(old)
            elif old.process is None and not was_wanted:
                old.due, old.failures = 0.0, 0
            return old
        new = Child(spec)
        if old is not None:
            self._dismiss(old)
        if not spec.wanted:
            new.due = None
        return new

    def _dismiss(self, child: Child) -> None:
        child.due = None
        if child.process is not None:
            self._leaving.append(child)
            self._ask_to_stop(child)

    # --- making it so --------------------------------------------------------------------------
    def _step(self, now: float) -> None:
        if self._ending:
            self._stop_next_stage()
        blocked = {child.spec.name for child in self._leaving}
        for name, child in self._children.items():
            stopped_meanwhile = child.process is None and child.kill_at is None
            if child.due is not None and child.due <= now and stopped_meanwhile and name not in blocked:
                self._start(child, now)
        for child in [*self._children.values(), *self._leaving]:
            if child.kill_at is not None and child.kill_at <= now:
                child.kill_at = now + 1.0
                self._signal(child, signal.SIGKILL)
        if now >= self._next_log_check:
            self._next_log_check = now + LOG_CHECK
            for child in self._children.values():
                rotate(child.spec.log, child.spec.log_limit)

    def _stop_next_stage(self) -> None:
        running = [child for child in self._children.values() if child.process is not None]
        highest = max((child.spec.stage for child in running), default=0)
        for child in running:
            if child.spec.stage == highest:
                self._ask_to_stop(child)

    def _start(self, child: Child, now: float) -> None:
        spec = child.spec
        cgroup_dirs = [str(path) for path in tracking_dirs(spec.cgroup)] if spec.cgroup else []
        try:
            process = spawn(spec, self._pid_path(spec.name), cgroup_dirs)
        except OSError as error:
            # No disk space, memory or pids: probably temporary.
            child.failures, delay = restart_delay(child.failures, 0.0)
            child.due = now + delay
            _say(f"cannot start {spec.name}: {error}")
            return
        child.due, child.begun = None, now
        self._watch(child, process)

    def _watch(self, child: Child, process: ProcessId) -> None:
        try:
            # A zombie child has a pidfd, too, which reports the exit at once.
            child.pidfd = os.pidfd_open(process.pid)
        except ProcessLookupError:
            child.due = time.monotonic()
            return
        child.process, child.since = process, time.time()
        self._by_fd[child.pidfd] = child
        self._poll.register(child.pidfd, select.POLLIN)
        self._changed = True

    def _on_end(self, child: Child) -> None:
        self._poll.unregister(child.pidfd)
        del self._by_fd[child.pidfd]
        os.close(child.pidfd)
        assert child.process is not None
        child.exit = _exit_status(child.process.pid)
        child.process, child.pidfd, child.since = None, -1, time.time()
        asked = child.kill_at is not None
        child.kill_at = None
        self._changed = True
        if child in self._leaving:
            self._leaving.remove(child)
        elif child.spec.wanted and not self._ending and (child.spec.restart or asked):
            now = time.monotonic()
            child.failures, delay = restart_delay(child.failures, now - child.begun)
            child.due = now if asked else now + delay
            child.restarts += 1
            _say(f"{child.spec.name} exited ({child.exit}); restarting it")

    def _ask_to_stop(self, child: Child) -> None:
        if child.process is not None and child.kill_at is None:
            child.kill_at = time.monotonic() + child.spec.grace
            self._signal(child, signal.SIGTERM)
            self._changed = True

    def _signal(self, child: Child, number: int) -> None:
        try:
            signal.pidfd_send_signal(child.pidfd, number)
        except ProcessLookupError:
            pass

    # --- time and files ------------------------------------------------------------------------
    def _timeout(self, now: float) -> float:
        moments = [self._next_log_check]
        blocked = {child.spec.name for child in self._leaving}
        for child in [*self._children.values(), *self._leaving]:
            if child.kill_at is not None:
                moments.append(child.kill_at)
            elif child.due is not None and child.spec.name not in blocked:
                moments.append(child.due)
        return max(0.0, min(moments) - now) * 1000 + 1

    def _pid_path(self, name: str) -> str:
        return f"{self._run_dir}/{name}.pid"

    def _publish(self) -> bool:
        """Write state.json; returns False if the disk is full. The next wake-up tries again."""
        me = identify(os.getpid())
        assert me is not None
        rows = tuple(_row(child) for child in self._children.values())
        temporary = f"{self._run_dir}/state.json.new"
        try:
            with open(temporary, "w") as file:
                file.write(encode_state(SupervisorState(me, rows)))
            os.replace(temporary, f"{self._run_dir}/state.json")
        except OSError as error:
            _say(f"cannot write the state: {error}")
            return False
        return True

    def _clear(self) -> None:
        for entry in os.listdir(self._run_dir):
            if entry.endswith((".pid", ".new", "state.json")):
                os.unlink(f"{self._run_dir}/{entry}")


def _say(message: str) -> None:
    """Write a line to supervisor.log. A full disk may lose it, but must not end the supervisor."""
    try:
        print(message, file=sys.stderr, flush=True)
    except OSError:
        pass


def _row(child: Child) -> ProcessState:
    process = child.process or ProcessId(0, 0)
    return ProcessState(
        child.spec.name, child.state, process.pid, process.start, child.since, child.restarts, child.exit
    )


def _read_pid_file(path: str) -> PidFile | None:
    try:
        with open(path) as file:
            return decode_pid_file(file.read())
    except (OSError, ValueError):
        return None


def _exit_status(pid: int) -> str:
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return "unknown"  # adopted: the child of another process
    if ended == 0:
        return "unknown"
    code = os.waitstatus_to_exitcode(status)
    return f"exit {code}" if code >= 0 else f"signal {-code}"


def main(arguments: list[str]) -> int:
    """Enter the cgroup, take the lock, supervise. Exit code 3: another supervisor is running."""
    spec_file, run_dir, cgroup = arguments
    os.makedirs(run_dir, exist_ok=True)
    lock = os.open(f"{run_dir}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 3
    for directory in tracking_dirs(cgroup):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "cgroup.procs").write_text("0")
    Supervisor(spec_file, run_dir).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

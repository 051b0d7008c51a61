"""Start a process of a cluster in its own session, namespace and cgroup, with a log and a pid file.

Uses fork and exec directly, because the pid file must exist before the program starts: if the supervisor is killed
at any moment, its successor must find the process. Only for single-threaded callers.
"""

import os
import shutil
import signal

from pybernetes.cluster.processes import ProcessId, identify
from pybernetes.cluster.spec import PidFile, ProcessSpec, encode_pid_file

EXEC_FAILED = 127


def spawn(spec: ProcessSpec, pid_file: str, cgroup_dirs: list[str]) -> ProcessId:
    """Start the process; returns its identity once the program runs and the pid file exists.

    If the program cannot be run, the process exits with 127 and writes a line to its log.
    """
    os.makedirs(os.path.dirname(spec.log), exist_ok=True)
    begun, beginning = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _become(spec, pid_file, cgroup_dirs)
    os.close(beginning)
    # Returns when the child's copy of the other end closes: at exec or exit.
    os.read(begun, 1)
    os.close(begun)
    identity = identify(pid)
    # The process has exited already. No process has start time 0, so this identity matches no other process.
    return identity if identity is not None else ProcessId(pid, 0)


def command(spec: ProcessSpec) -> list[str]:
    """The argument list that enters the namespace. nsenter execs the program, so the pid stays the same."""
    if not spec.netns:
        return list(spec.argv)
    return ["nsenter", f"--net={spec.netns}", "--", *spec.argv]


def rotate(path: str, limit: int) -> bool:
    """Copy a log of more than `limit` bytes to `<path>.1` and truncate it; writers append, so they continue at 0."""
    try:
        if os.stat(path).st_size <= limit:
            return False
        try:
            shutil.copyfile(path, f"{path}.1")
        finally:
            # Truncate even if the disk is too full for the copy: free space is worth more than the old lines.
            os.truncate(path, 0)
    except OSError:
        return False
    return True


def _become(spec: ProcessSpec, pid_file: str, cgroup_dirs: list[str]) -> None:
    try:
        os.setsid()
        _redirect(spec.log)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        for directory in cgroup_dirs:
            _enter_cgroup(directory)
        identity = identify(os.getpid())
        if identity is not None:
            _record(pid_file, encode_pid_file(PidFile(identity, spec)))
        os.chdir("/")
        words = command(spec)
        os.execvpe(words[0], words, {**os.environ, **spec.env})
    except OSError as error:
        os.write(2, f"cannot start {spec.name}: {error}\n".encode())
    finally:
        # After any exception: a forked copy of the supervisor must never continue.
        os._exit(EXEC_FAILED)


def _redirect(log: str) -> None:
    null = os.open("/dev/null", os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for descriptor in (null, output):
        if descriptor > 2:
            os.close(descriptor)


def _enter_cgroup(directory: str) -> None:
    os.makedirs(directory, exist_ok=True)
    with open(f"{directory}/cgroup.procs", "w") as file:
        file.write("0")


def _record(path: str, text: str) -> None:
    temporary = f"{path}.new"
    # It contains the environment, which may have secrets.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(temporary, path)

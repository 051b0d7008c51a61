"""Starting one process of a cluster: its own session, namespace, cgroup and log, its pid on record.

fork and exec by hand, since the pid file must exist before the program begins: a supervisor that is
killed between two instructions may not leave a process that nobody knows. Single-threaded callers only.
"""

import os
import shutil
import signal

from pybernetes.cluster.processes import ProcessId, identify
from pybernetes.cluster.spec import PidFile, ProcessSpec, encode_pid_file

EXEC_FAILED = 127


def spawn(spec: ProcessSpec, pid_file: str, cgroup_dirs: list[str]) -> ProcessId:
    """Start the process; returns its identity once its program has begun and its pid file is there.

    A program that cannot be run ends with 127 and a line in its log.
    """
    os.makedirs(os.path.dirname(spec.log), exist_ok=True)
    begun, beginning = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _become(spec, pid_file, cgroup_dirs)
    os.close(beginning)
    # Ends when the child's copy of the other end closes: at exec, or at its exit.
    os.read(begun, 1)
    os.close(begun)
    identity = identify(pid)
    # A zombie already: it ended before we looked. Start time 0 is nobody's, so nothing can be mistaken for it.
    return identity if identity is not None else ProcessId(pid, 0)


def command(spec: ProcessSpec) -> list[str]:
    """The argument list with the namespace entered: nsenter replaces itself, so the pid stays."""
    if not spec.netns:
        return list(spec.argv)
    return ["nsenter", f"--net={spec.netns}", "--", *spec.argv]


def rotate(path: str, limit: int) -> bool:
    """Copy a log beyond `limit` bytes to `<path>.1` and empty it; writers append, so they go on at 0."""
    try:
        if os.stat(path).st_size <= limit:
            return False
        try:
            shutil.copyfile(path, f"{path}.1")
        finally:
            # Also when there was no room for the copy: then the old lines are worth less than their room.
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
        # Also after any other exception: a forked copy of the supervisor must never go on.
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
    # The environment in it may hold secrets.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(temporary, path)

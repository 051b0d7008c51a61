"""Log lines in klog's format, as Kubernetes components write them and log collectors parse them:

    I1020 10:08:19.489007    9372 daemon.py:133] Created subnet manager: Etcd Local Manager

Severity, month and day, local time, process id, file and line, then the message.
"""

import logging
import sys
import time

#: klog has no debug severity: its verbose lines have severity I.
_SEVERITY = {logging.DEBUG: "I", logging.INFO: "I", logging.WARNING: "W", logging.ERROR: "E", logging.CRITICAL: "F"}


class KlogFormatter(logging.Formatter):
    """Formats records in klog's format; further lines of a message stay unchanged."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, without the traceback."""
        seconds, micro = divmod(round(record.created * 1_000_000), 1_000_000)
        when = time.strftime("%m%d %H:%M:%S", time.localtime(seconds))
        severity = _SEVERITY.get(record.levelno, "I")
        place = f"{record.process or 0:>7} {record.filename}:{record.lineno}"
        return f"{severity}{when}.{micro:06} {place}] {record.message}"


def set_up_logging(level: str) -> None:
    """Log to stderr from `level` on; for libraries, only warnings and errors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(KlogFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for noisy in ("asyncio", "aiohttp", "grpc"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))

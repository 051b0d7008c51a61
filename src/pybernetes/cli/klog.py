"""Log lines in klog's form, as the original components write them and as log collectors parse them:

    I1020 10:08:19.489007    9372 daemon.py:133] Created subnet manager: Etcd Local Manager

Severity, month and day, local time, process id, file and line, then the message.
"""

import logging
import sys
import time

#: klog knows no severity for debugging: its verbose lines are informational.
_SEVERITY = {logging.DEBUG: "I", logging.INFO: "I", logging.WARNING: "W", logging.ERROR: "E", logging.CRITICAL: "F"}


class KlogFormatter(logging.Formatter):
    """A record as such a line; what follows the first line of a message stays as it is."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without a traceback."""
        seconds, micro = divmod(round(record.created * 1_000_000), 1_000_000)
        when = time.strftime("%m%d %H:%M:%S", time.localtime(seconds))
        severity = _SEVERITY.get(record.levelno, "I")
        place = f"{record.process or 0:>7} {record.filename}:{record.lineno}"
        return f"{severity}{when}.{micro:06} {place}] {record.message}"


def set_up_logging(level: str) -> None:
    """Everything from `level` on goes to stderr; libraries only speak up from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(KlogFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for noisy in ("asyncio", "aiohttp", "grpc"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))

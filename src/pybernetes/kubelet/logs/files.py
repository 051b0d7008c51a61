"""The files of one log: the current one and the rotated ones."""

import gzip
import os
import shutil
from pathlib import Path


def prune(path: Path, keep: int) -> None:
    """Compress all rotated files except the newest, and remove the oldest. `keep` includes the current file."""
    rotated = sorted(p for p in path.parent.glob(path.name + ".*") if not p.name.endswith(".tmp"))
    for old in rotated[: max(len(rotated) - (keep - 1), 0)]:
        old.unlink()
    for old in rotated[max(len(rotated) - (keep - 1), 0) : -1]:
        if old.suffix != ".gz":
            partial = old.with_name(old.name + ".tmp")
            with old.open("rb") as source, gzip.open(partial, "wb") as target:
                shutil.copyfileobj(source, target)
            os.replace(partial, old.with_name(old.name + ".gz"))
            old.unlink()


def remove_logs(path: Path) -> None:
    """Remove a log and its rotated files."""
    for file in [path, *path.parent.glob(path.name + ".*")]:
        file.unlink(missing_ok=True)

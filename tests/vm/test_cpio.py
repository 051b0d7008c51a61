"""The archive, read by another program: busybox's cpio."""

import os
import stat
import subprocess
from pathlib import Path

from vm.cpio import Archive


def test_an_independent_reader_finds_everything(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "tool").write_bytes(b"#!/bin/sh\n")
    (source / "deep" / "tool").chmod(0o750)
    os.utime(source / "deep" / "tool", (1_700_000_000, 1_700_000_000))
    (source / "short").symlink_to("deep")
    target = tmp_path / "archive"
    with target.open("wb") as file:
        archive = Archive(file)
        archive.file("/etc/passwd", b"root:x:0:0\n", mode=0o600)
        archive.file("/etc/passwd", b"a second one is left out\n")
        archive.device("/dev/pbt-null", 1, 3)
        archive.copy(source / "short" / "tool")  # below a symbolic link
        archive.close()
    out = tmp_path / "out"
    out.mkdir()
    with target.open("rb") as file:
        subprocess.run(["busybox", "cpio", "-idm"], stdin=file, cwd=out, check=True, capture_output=True)
    assert (out / "etc" / "passwd").read_bytes() == b"root:x:0:0\n"
    assert stat.S_IMODE((out / "etc" / "passwd").stat().st_mode) == 0o600
    device = (out / "dev" / "pbt-null").stat()
    assert stat.S_ISCHR(device.st_mode) and (os.major(device.st_rdev), os.minor(device.st_rdev)) == (1, 3)
    copied = out / str(source).strip("/")
    assert os.readlink(copied / "short") == "deep"
    assert (copied / "short" / "tool").read_bytes() == b"#!/bin/sh\n"
    about = (copied / "deep" / "tool").stat()
    assert (stat.S_IMODE(about.st_mode), int(about.st_mtime)) == (0o750, 1_700_000_000)

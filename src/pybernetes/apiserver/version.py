"""The version of Kubernetes that the server presents."""

import platform
import sys

import msgspec

MAJOR, MINOR = "1", "34"
GIT_VERSION = "v1.34.0"


def document() -> bytes:
    """The body of GET /version."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return msgspec.json.encode(
        {
            "major": MAJOR,
            "minor": MINOR,
            "emulationMajor": MAJOR,
            "emulationMinor": MINOR,
            "minCompatibilityMajor": MAJOR,
            "minCompatibilityMinor": str(int(MINOR) - 1),
            "gitVersion": GIT_VERSION,
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "2025-08-27T10:09:04Z",
            "goVersion": f"python{sys.version_info.major}.{sys.version_info.minor}",
            "compiler": platform.python_implementation().lower(),
            "platform": f"linux/{machine}",
        }
    )

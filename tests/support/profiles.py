"""How much the long tests do: `ci` (the default) or `full`, chosen by PYBERNETES_TESTS.

`make test` runs `ci`, `make test-full` runs `full`. Hypothesis draws `ci` or `nightly` examples accordingly.
"""

import os

from hypothesis import HealthCheck, settings

FULL = os.environ.get("PYBERNETES_TESTS", "ci") == "full"


def sized(ci: int, full: int) -> int:
    """The size of a long test: a number of rounds, objects or nodes."""
    return full if FULL else ci


def load() -> None:
    """Register and load Hypothesis' profiles. Deadlines are off: the machine that runs the tests may be busy."""
    quiet = [HealthCheck.too_slow]
    settings.register_profile("ci", deadline=None, max_examples=50, suppress_health_check=quiet)
    settings.register_profile("nightly", deadline=None, max_examples=1000, suppress_health_check=quiet)
    settings.load_profile("nightly" if FULL else "ci")

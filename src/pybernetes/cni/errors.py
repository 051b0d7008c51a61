"""The error objects of the CNI specification: what a plugin prints when it fails."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybernetes.linux.fastjson import Json

# Well-known codes (CNI specification, "Error"); codes from 100 on are specific to plugins.
INCOMPATIBLE_VERSION = 1
UNSUPPORTED_FIELD = 2
UNKNOWN_CONTAINER = 3
INVALID_ENVIRONMENT = 4
IO_FAILURE = 5
DECODING_FAILURE = 6
INVALID_CONFIG = 7
TRY_AGAIN_LATER = 11
NOT_AVAILABLE = 50
LIMITED_CONNECTIVITY = 51
KERNEL_REFUSED = 100
NO_ADDRESS = 101
CHECK_FAILED = 102
DELEGATE_FAILED = 103
UNEXPECTED = 104
"""A fault of the plugin itself."""


class CniError(Exception):
    """A failed call; `code` is one of the above."""

    def __init__(self, code: int, message: str, details: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    def to_json(self, version: str) -> Json:
        """The error object for standard output."""
        report: Json = {"cniVersion": version, "code": self.code, "msg": self.message}
        if self.details:
            report["details"] = self.details
        return report


def invalid_config(message: str, details: str = "") -> CniError:
    return CniError(INVALID_CONFIG, message, details)

"""Typed access to a JSON object that a user or another program wrote.

Each plugin decodes its configuration with this once, into its own class. A value of the wrong type is refused
by name: `ipam.resolvConf: expected a string, got 14`. Null counts as absent, as in Go's decoder; a boolean is not a
number.
"""

from __future__ import annotations

from pybernetes.cni import errors
from pybernetes.cni.errors import CniError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybernetes.linux.fastjson import Json

_SHOWN = 60


class Settings:
    """The values of one JSON object."""

    __slots__ = ("_code", "_values", "place")

    def __init__(self, values: object, place: str = "", code: int = errors.INVALID_CONFIG) -> None:
        """`place` comes before the names of values in errors, such as `ipam.`; `code` is the code of these errors."""
        self.place = place
        self._code = code
        if values is not None and not isinstance(values, dict):
            raise CniError(code, f"{place.rstrip('.') or 'configuration'}: expected an object, got {_shown(values)}")
        self._values: Json = values or {}

    def has(self, key: str) -> bool:
        """Whether the value is there and not null."""
        return self._values.get(key) is not None

    def keys(self) -> list[str]:
        return list(self._values)

    def wrong(self, key: str, expected: str) -> CniError:
        """The error for a value that is not what was expected."""
        return CniError(self._code, f"{self.place}{key}: expected {expected}, got {_shown(self._values.get(key))}")

    def text(self, key: str, default: str = "") -> str:
        """A string."""
        value = self._values.get(key)
        if value is None:
            return default
        if not _is_text(value):
            raise self.wrong(key, "a string")
        return str(value)

    def switch(self, key: str) -> bool | None:
        """A boolean; None if it is absent."""
        value = self._values.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def number(self, key: str, low: int = 0, high: int = (1 << 32) - 1) -> int | None:
        """An integer from `low` to `high`; None if it is absent."""
        value = self._values.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.wrong(key, f"a number from {low} to {high}")
        return value

    def texts(self, key: str) -> list[str]:
        """A list of strings."""
        value = self._values.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all([_is_text(item) for item in value]):
            raise self.wrong(key, "a list of strings")
        return list(value)

    def map(self, key: str) -> dict[str, str]:
        """An object whose values are strings."""
        value = self._values.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all([_is_text(item) for pair in value.items() for item in pair]):
            raise self.wrong(key, "an object of strings")
        return dict(value)

    def json(self, key: str) -> Json:
        """A copy of an object that is not decoded here, because another plugin does that."""
        return dict(self.section(key)._values)

    def section(self, key: str) -> Settings:
        """An object; an empty one if it is absent."""
        return Settings(self._values.get(key), f"{self.place}{key}.", self._code)

    def sections(self, key: str) -> list[Settings]:
        """A list of objects."""
        return self._several(self._values.get(key), key)

    def lists_of_sections(self, key: str) -> list[list[Settings]]:
        """A list of lists of objects."""
        value = self._values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(key, "a list of lists of objects")
        return [self._several(item, f"{key}[{place}]") for place, item in enumerate(value)]

    def _several(self, value: object, key: str) -> list[Settings]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise CniError(self._code, f"{self.place}{key}: expected a list of objects, got {_shown(value)}")
        return [Settings(item, f"{self.place}{key}[{place}].", self._code) for place, item in enumerate(value)]

    # -- addresses ----------------------------------------------------------------------------------------
    def address(self, key: str) -> str:
        """An IP address, as the kernel writes it; empty if it is absent."""
        value = self.text(key)
        if not value:
            return ""
        from pybernetes.linux.ipmsg import pack, unpack

        try:
            return unpack(pack(value))
        except ValueError:
            raise self.wrong(key, "an IP address") from None

    def cidr(self, key: str) -> str:
        """An address with its prefix length, host bits kept; empty if it is absent."""
        value = self.text(key)
        if not value:
            return ""
        from pybernetes.linux.ipmsg import split, unpack

        try:
            raw, length = split(value)
        except ValueError:
            raise self.wrong(key, "an address with a prefix length") from None
        if "/" not in value:
            raise self.wrong(key, "an address with a prefix length")
        return f"{unpack(raw)}/{length}"

    def mac(self, key: str) -> str:
        """A MAC address in lower case; empty if it is absent."""
        return mac(self.text(key), f"{self.place}{key}")


def mac(text: str, what: str) -> str:
    """A MAC address in lower case; empty for an empty text. `what` names it in the error."""
    if not text:
        return ""
    from pybernetes.linux import linkmsg

    try:
        return linkmsg.mac_text(linkmsg.mac_bytes(text))
    except ValueError:
        raise errors.invalid_config(f"{what}: invalid MAC address {_shown(text)}") from None


def _is_text(value: object) -> bool:
    """Whether a value is a string that the kernel can take: no zero bytes, nothing that UTF-8 cannot express."""
    if not isinstance(value, str) or "\0" in value:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."

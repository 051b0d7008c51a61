"""The string formats of OpenAPI that are checked in custom resources. An unknown format is no constraint."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from ipaddress import IPv4Address, IPv6Address, ip_network
from uuid import UUID


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    """Whether a function takes the text without a ValueError."""

    def check(text: str) -> bool:
        try:
            parse(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return check


def _matches(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text) is not None


def _date_time(text: str) -> object:
    if re.fullmatch(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", text) is None:
        raise ValueError(text)
    return datetime.fromisoformat(text.upper())


def _date(text: str) -> object:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text) is None:
        raise ValueError(text)
    return date.fromisoformat(text)


def _cidr(text: str) -> object:
    if "/" not in text:
        raise ValueError(text)
    return ip_network(text, strict=False)


_LABEL = r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"

FORMATS: Mapping[str, Callable[[str], bool]] = {
    "byte": _parses(lambda text: base64.b64decode(text, validate=True)),
    "cidr": _parses(_cidr),
    "date": _parses(_date),
    "date-time": _parses(_date_time),
    "datetime": _parses(_date_time),
    "duration": _matches(r"[+-]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*)"),
    "email": _matches(r"[^@\s]+@[^@\s]+"),
    "hostname": lambda text: len(text) < 256 and re.fullmatch(rf"{_LABEL}(\.{_LABEL})*\.?", text) is not None,
    "ipv4": _parses(IPv4Address),
    "ipv6": _parses(IPv6Address),
    "mac": _matches(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}"),
    "uri": _matches(r"[a-zA-Z][a-zA-Z0-9+.-]*:[^\s]*|/[^\s]*"),
    "uuid": _parses(UUID),
}

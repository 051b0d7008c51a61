"""Reads a backend's options; errors name the key, the value, and what is expected."""

from collections.abc import Mapping
from typing import Any

from pybernetes.flannel.config import ConfigError
from pybernetes.flannel.leases.lease import BEHIND_NAT


def number(options: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    """A whole number between `low` and `high`; 0 or absent means the default, as in Go flannel."""
    value = options.get(name.lower(), default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"Backend.{name} must be a number, found {value!r}")
    value = value or default
    if not low <= value <= high:
        raise ConfigError(f"Backend.{name} must lie between {low} and {high}, found {value}")
    return value


def mtu(options: Mapping[str, Any]) -> int:
    """The device's MTU; 0: the underlay's minus the overhead. Every IPv4 host accepts 576 bytes (RFC 791)."""
    value = number(options, "MTU", 0, 0, 65535)
    return value and number(options, "MTU", 0, 576, 65535)


def behind_nat(version: int, facts: Mapping[str, str]) -> dict[str, Any]:
    """Backend data of a node whose public address belongs to a NAT, for backends that use peers as gateways."""
    own = facts.get(f"{BEHIND_NAT}{version}")
    return {BEHIND_NAT: own} if own else {}


def flag(options: Mapping[str, Any], name: str) -> bool:
    """true or false; false when absent."""
    value = options.get(name.lower(), False)
    if not isinstance(value, bool):
        raise ConfigError(f"Backend.{name} must be true or false, found {value!r}")
    return value

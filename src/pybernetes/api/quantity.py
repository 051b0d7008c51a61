"""Resource quantities: `500m`, `1Gi`, `0.5`, `2e3`. Parsed to integer nanos, written in canonical form.

A quantity keeps its family of suffixes (decimal, binary, exponent). The canonical form has the largest suffix of the
family that leaves no fraction. Fractions of a nano are rounded away from zero, so that no request becomes 0. Quantities
are capped at 2^63-1.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from pybernetes.api.meta import Quantity
from pybernetes.api.shape import Shape
from pybernetes.api.walk import Step, Walk

DECIMAL, BINARY, EXPONENT = "DecimalSI", "BinarySI", "DecimalExponent"
NANO = 10**9
_MAX = (2**63 - 1) * NANO
_MILLI_IN_NANOS = 10**6

_DECIMAL_SUFFIXES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_SUFFIXES = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_BY_EXPONENT = {exponent: suffix for suffix, exponent in _DECIMAL_SUFFIXES.items()}
_BINARY_BY_STEP = ("", *_BINARY_SUFFIXES)

_SHAPE = re.compile(r"([+-]?)0*([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)")
_EXPONENT = re.compile(r"[eE][-+]?[0-9]{1,18}")

FORMAT_TEXT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
NUMERIC_TEXT = "unable to parse numeric part of quantity"
SUFFIX_TEXT = "unable to parse quantity's suffix"


class QuantityError(ValueError):
    """The text is not a quantity; the message is that of Kubernetes."""


class Amount(NamedTuple):
    """A parsed quantity: nanos, and the family of suffixes."""

    nanos: int
    family: str = DECIMAL


@lru_cache(maxsize=4096)
def _parse(text: str) -> Amount:
    shape = _SHAPE.fullmatch(text)
    if not text or shape is None:
        raise QuantityError(FORMAT_TEXT)
    sign, whole, fraction, suffix = shape.groups()
    base, exponent, family = _suffix(suffix)
    if not whole and not fraction and "0" not in text[: len(text) - len(suffix)]:
        raise QuantityError(NUMERIC_TEXT if text[:1] not in ("", *"eEinumkKMGTP") or suffix != text else FORMAT_TEXT)
    nanos = min(_nanos(whole, fraction or "", base, exponent), _MAX)
    if family == BINARY and 0 < nanos < NANO:
        family = DECIMAL
    return Amount(-nanos if sign == "-" else nanos, family)


def _suffix(suffix: str) -> tuple[int, int, str]:
    """(base, exponent, family) of a suffix."""
    if suffix in _DECIMAL_SUFFIXES:
        return 10, _DECIMAL_SUFFIXES[suffix], DECIMAL
    if suffix in _BINARY_SUFFIXES:
        return 2, _BINARY_SUFFIXES[suffix], BINARY
    if _EXPONENT.fullmatch(suffix):
        return 10, int(suffix[1:]), EXPONENT
    raise QuantityError(SUFFIX_TEXT)


def _nanos(whole: str, fraction: str, base: int, exponent: int) -> int:
    """The quantity in nanos, rounded up. Very long numbers and exponents are cut off where they no longer matter."""
    fraction = fraction.rstrip("0")
    if not whole and not fraction:
        return 0
    if base == 10 and len(whole) + exponent > 20:
        # Leading zeros of the fraction may still make it small: 0.0000001e30
        significant = len(fraction) - len(fraction.lstrip("0")) if not whole else 0
        if exponent - significant > 20 or len(whole) + exponent - significant > 20:
            return _MAX
    if len(whole) > 40:
        return _MAX if base == 2 or len(whole) + exponent > 20 else 1
    if base == 10 and len(whole) + exponent < -9:
        return 1
    digits = fraction[:80]
    mantissa = int(whole + digits or "0") * 10 + (1 if len(fraction) > 80 else 0)
    scale = -len(digits) - 1 + 9 + (exponent if base == 10 else 0)
    numerator = mantissa * (1 << exponent if base == 2 else 1) * int(10 ** max(scale, 0))
    return -(-numerator // int(10 ** max(-scale, 0)))


def parse(quantity: Quantity) -> Amount:
    """Parse a JSON string or number. Raises QuantityError."""
    return _parse(quantity.strip() if isinstance(quantity, str) else repr(quantity))


def render(amount: Amount) -> str:
    """The canonical text of a parsed quantity."""
    nanos, family = amount
    if not nanos:
        return "0"
    if family == BINARY and abs(nanos) >= 1024 * NANO and nanos % NANO == 0:
        return _binary(nanos // NANO)
    mantissa, exponent = nanos, -9
    while mantissa % 1000 == 0 and exponent < 18:
        mantissa //= 1000
        exponent += 3
    if family == EXPONENT:
        return f"{mantissa}e{exponent}" if exponent else str(mantissa)
    return f"{mantissa}{_DECIMAL_BY_EXPONENT[exponent]}"


def _binary(number: int) -> str:
    step = 0
    while number % 1024 == 0 and step < 6:
        number //= 1024
        step += 1
    return f"{number}{_BINARY_BY_STEP[step]}"


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    return render(_parse(text))


@lru_cache(maxsize=4096)
def _canonical_milli(text: str) -> str:
    nanos, family = _parse(text)
    return render(Amount(_away(nanos, _MILLI_IN_NANOS) * _MILLI_IN_NANOS, family))


def canonical(quantity: Quantity) -> str:
    """The canonical text of a quantity. Raises QuantityError."""
    return _canonical(quantity.strip() if isinstance(quantity, str) else repr(quantity))


def _away(nanos: int, unit: int) -> int:
    """Nanos as a number of units, fractions rounded away from zero."""
    return -(-nanos // unit) if nanos >= 0 else nanos // unit


@lru_cache(maxsize=4096)
def _milli(text: str) -> int:
    return _away(_parse(text).nanos, _MILLI_IN_NANOS)


@lru_cache(maxsize=4096)
def _value(text: str) -> int:
    return _away(_parse(text).nanos, NANO)


def milli(quantity: Quantity) -> int:
    """Thousandths, rounded up: CPU."""
    return _milli(quantity) if isinstance(quantity, str) else _milli(repr(quantity))


def value(quantity: Quantity) -> int:
    """Whole units, rounded up: memory in bytes, number of pods."""
    return _value(quantity) if isinstance(quantity, str) else _value(repr(quantity))


# --- whole objects


def _resource_list(amounts: dict[str, Quantity]) -> None:
    for name, amount in amounts.items():
        amounts[name] = _canonical_milli(amount.strip() if isinstance(amount, str) else repr(amount))


def step(shape: Shape) -> Step | None:
    """For a `walk`: rewrites a quantity, or a map of them, in canonical form. The step raises QuantityError."""
    if shape.form == "map" and shape.item is not None and shape.item.form == "quantity":
        return _resource_list
    return canonical if shape.form == "quantity" else None


canonicalize = Walk(step)
"""Rewrites every quantity of a freshly decoded object in canonical form, in place. Raises QuantityError.

In maps (resource lists) quantities are rounded up to thousandths, as Kubernetes does for compatibility.
"""

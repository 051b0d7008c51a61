"""Bytes in JSON: base64, checked when an object is decoded, as Go does."""

import binascii
import re

from pybernetes.api.shape import Shape
from pybernetes.api.walk import Step

_FOREIGN = re.compile(r"[^A-Za-z0-9+/=]")


def canonical(text: str) -> str:
    """The text without line breaks. Raises ValueError if it is not base64."""
    plain = text.replace("\n", "").replace("\r", "")
    try:
        binascii.a2b_base64(plain, strict_mode=True)
    except (binascii.Error, ValueError):
        foreign = _FOREIGN.search(plain)
        offset = foreign.start() if foreign is not None else len(plain) // 4 * 4
        raise ValueError(f"illegal base64 data at input byte {offset}") from None
    return plain


def _canonical_values(values: dict[str, str]) -> None:
    for key, text in values.items():
        values[key] = canonical(text)


def step(shape: Shape) -> Step | None:
    """For a `walk`: checks bytes. The step raises ValueError."""
    if shape.form == "map" and shape.item is not None and shape.item.form == "bytes":
        return _canonical_values
    return canonical if shape.form == "bytes" else None

"""Expands `$(NAME)` in commands, arguments and environment values. Pure.

References to unknown names stay as they are. `$$` is an escaped `$`: `$$(NAME)` becomes `$(NAME)`.
"""

import re
from collections.abc import Mapping

_PATTERN = re.compile(r"\$(?:(\$)|\(([^)]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The text with its references expanded."""
    if "$" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        return variables.get(match[2], match[0])

    return _PATTERN.sub(replace, text)

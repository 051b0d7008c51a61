"""Errors of patches."""


class PatchError(Exception):
    """The patch cannot be applied; `code` is the HTTP status (400, 413 or 422)."""

    def __init__(self, message: str, code: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class ApplyConflict(Exception):
    """A server-side apply would change fields of other managers: one (manager, field path) per conflict.

    `manager` is the text that names an owner, such as `"kubectl" using apps/v1`; the path starts with a dot.
    """

    def __init__(self, conflicts: list[tuple[str, str]]) -> None:
        super().__init__(_conflict_message(conflicts))
        self.conflicts = conflicts


def _conflict_message(conflicts: list[tuple[str, str]]) -> str:
    """One conflict is one line; several are grouped by manager, one path per line."""
    if len(conflicts) == 1:
        manager, path = conflicts[0]
        return f"Apply failed with 1 conflict: conflict with {manager}: {path}"
    lines: list[str] = []
    for manager in sorted({m for m, _ in conflicts}):
        lines.append(f"conflicts with {manager}:")
        lines += [f"- {path}" for owner, path in conflicts if owner == manager]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)

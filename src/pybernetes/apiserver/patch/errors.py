"""What goes wrong with a patch."""


class PatchError(Exception):
    """The patch can't be applied; `code` is the HTTP status that says so (400, 413 or 422)."""

    def __init__(self, message: str, code: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class ApplyConflict(Exception):
    """A server-side apply would change fields that others own: one (manager, field path) per conflict.

    `manager` is the text that names an owner, such as `"kubectl" using apps/v1`; the path starts with a dot.
    """

    def __init__(self, conflicts: list[tuple[str, str]]) -> None:
        super().__init__(_conflict_message(conflicts))
        self.conflicts = conflicts


def _conflict_message(conflicts: list[tuple[str, str]]) -> str:
    """One conflict reads on one line; several are grouped by manager, one path per line."""
    noun = "conflict" if len(conflicts) == 1 else "conflicts"
    head = f"Apply failed with {len(conflicts)} {noun}: "
    if len(conflicts) == 1:
        manager, path = conflicts[0]
        return f"{head}conflict with {manager}: {path}"
    grouped: dict[str, list[str]] = {}
    for manager, path in conflicts:
        grouped.setdefault(manager, []).append(path)
    parts = []
    for manager, paths in sorted(grouped.items()):
        if len(paths) == 1:
            parts.append(f"conflict with {manager}: {paths[0]}")
        else:
            parts.append(f"conflicts with {manager}:" + "".join(f"\n- {p}" for p in paths))
    return head + "\n".join(parts)

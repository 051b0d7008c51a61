"""Finds the fields of a certain type in whole objects, quickly: where they are is worked out once per struct type."""

from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

Step = Callable[[Any], Any]
"""What to do with a value; a result other than None takes its place."""


class Walk:
    """Runs a step on every field for whose type hint (with `Annotated`) `leaf` gives one, however deep it lies."""

    def __init__(self, leaf: Callable[[Any], Step | None]) -> None:
        self._leaf = leaf
        self._plans: dict[type[msgspec.Struct], Step | None] = {}

    def __call__(self, obj: msgspec.Struct) -> None:
        """Change the object in place."""
        plan = self._plan(type(obj))
        if plan is not None:
            plan(obj)

    def _plan(self, struct: type[msgspec.Struct]) -> Step | None:
        if struct not in self._plans:
            self._plans[struct] = None  # A type that contains itself is not followed.
            hints = get_type_hints(struct, include_extras=True)
            steps = [(name, step) for name, hint in hints.items() if (step := self._step(hint)) is not None]
            self._plans[struct] = _each_field(steps) if steps else None
        return self._plans[struct]

    def _step(self, hint: Any) -> Step | None:
        step = self._leaf(hint)
        if step is not None:
            return step
        if get_origin(hint) is Annotated:
            return self._step(get_args(hint)[0])
        members = get_args(hint)
        if get_origin(hint) is list:
            item = self._step(members[0])
            return None if item is None else _each_item(item)
        structs = [m for m in (members or (hint,)) if isinstance(m, type) and issubclass(m, msgspec.Struct)]
        return self._plan(structs[0]) if structs else None


def _each_field(steps: list[tuple[str, Step]]) -> Step:
    def run(obj: Any) -> None:
        for name, step in steps:
            value = getattr(obj, name)
            if value or value == 0:
                changed = step(value)
                if changed is not None:
                    setattr(obj, name, changed)

    return run


def _each_item(step: Step) -> Step:
    def run(items: list[Any]) -> None:
        for item in items:
            step(item)

    return run

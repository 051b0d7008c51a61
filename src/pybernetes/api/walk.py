"""Applies a step to every field of a certain shape in an object, quickly: the places are worked out once per struct."""

from collections.abc import Callable
from typing import Any

import msgspec

from pybernetes.api.shape import Shape, shape_of

Step = Callable[[Any], Any]
"""What to do with a value; a result other than None replaces it."""


class Walk:
    """Runs a step on every field for whose shape `leaf` returns one, however deep the field lies."""

    def __init__(self, leaf: Callable[[Shape], Step | None]) -> None:
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
            fields = shape_of(struct).fields.values()
            steps = [
                (field.attribute, step, field.shape.form == "quantity")
                for field in fields
                if (step := self._step(field.shape)) is not None
            ]
            self._plans[struct] = _each_field(steps) if steps else None
        return self._plans[struct]

    def _step(self, shape: Shape) -> Step | None:
        step = self._leaf(shape)
        if step is not None:
            return step
        if shape.form == "list" and shape.item is not None:
            item = self._step(shape.item)
            return None if item is None else _each_item(item)
        return self._plan(shape.type) if shape.type is not None else None


def _each_field(steps: list[tuple[str, Step, bool]]) -> Step:
    """(attribute, step, whether the step is for empty texts, too: an empty quantity is invalid)"""

    def run(obj: Any) -> None:
        for name, step, takes_empty in steps:
            value = getattr(obj, name)
            if value or value == 0 or (takes_empty and value == ""):
                changed = step(value)
                if changed is not None:
                    setattr(obj, name, changed)

    return run


def _each_item(step: Step) -> Step:
    def run(items: list[Any]) -> None:
        for item in items:
            step(item)

    return run

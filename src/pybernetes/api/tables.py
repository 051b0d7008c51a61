"""Cells and columns of server-side tables that many kinds share."""

from pybernetes.api import labels
from pybernetes.api.core.pod_spec import PodSpec
from pybernetes.api.kind import Column
from pybernetes.api.meta import LabelSelector

NAME = Column("Name", format="name", description="Name must be unique within a namespace.")
AGE = Column("Age", description="Time since the object was created.")
CONTAINERS = Column("Containers", priority=1, description="Names of the containers of the template.")
IMAGES = Column("Images", priority=1, description="Images of the containers of the template.")
SELECTOR = Column("Selector", priority=1, description="Which pods belong to the object.")
CREATED_AT = Column("Created At", type="date", description="When the object was created.")


def or_none(text: str) -> str:
    """The text, or kubectl's `<none>` when it is empty."""
    return text or "<none>"


def names_and_images(spec: PodSpec | None) -> tuple[str, str]:
    """(names, images) of the containers of a template."""
    containers = spec.containers if spec is not None else []
    return ",".join(c.name for c in containers), ",".join(c.image for c in containers)


def label_map(pairs: dict[str, str]) -> str:
    """`a=1,b=2`, in the order of the keys."""
    return or_none(",".join(f"{key}={pairs[key]}" for key in sorted(pairs)))


def selector_text(selector: LabelSelector) -> str:
    """A LabelSelector in the syntax of kubectl's -l; `<error>` when it is invalid."""
    try:
        return or_none(str(labels.from_label_selector(selector)))
    except labels.SelectorError:
        return "<error>"

"""Names of pods as users write them."""

import pytest

from pybernetes.cluster.errors import ConfigError
from pybernetes.insight.pod_reference import pod_reference


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("web", ("here", "web")),
        ("pod/web", ("here", "web")),
        ("po/web-0.a", ("here", "web-0.a")),
        ("prod/web", ("prod", "web")),
        ("pod/prod/web", ("prod", "web")),
        ("pod", ("here", "pod")),
    ],
)
def test_names(text: str, found: tuple[str, str]) -> None:
    assert pod_reference(text, "here") == found


@pytest.mark.parametrize("text", ["", "/", "a/b/c", "service/a/b", "web/", "/web", "WEB", "a b", "../secrets", "a?x=1"])
def test_invalid_names(text: str) -> None:
    with pytest.raises(ConfigError, match="is not the name of a pod; expected NAME, pod/NAME or NAMESPACE/NAME"):
        pod_reference(text, "here")

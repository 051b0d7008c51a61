"""Content negotiation: the form in which the client wants the response. Pure.

Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json   ->  a Table as JSON
"""

from dataclasses import dataclass
from functools import lru_cache

from pybernetes.apiserver import errors

JSON = "application/json"
YAML = "application/yaml"
ACCEPTED = (JSON, YAML, f"{JSON};stream=watch")

TABLE, PARTIAL, PARTIAL_LIST = "Table", "PartialObjectMetadata", "PartialObjectMetadataList"
_FORMS = frozenset({TABLE, PARTIAL, PARTIAL_LIST})


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a response: `transform` is "" or a kind of meta.k8s.io, `version` its version."""

    media_type: str = JSON
    transform: str = ""
    version: str = "v1"

    @property
    def plain(self) -> bool:
        """Whether the response is the stored bytes, unchanged."""
        return not self.transform and self.media_type == JSON


PLAIN = Form()


@lru_cache(maxsize=256)
def negotiate(accept: str, *, transforms: bool = True) -> Form:
    """The first supported form of an Accept header. Raises NotAcceptable."""
    if not accept.strip():
        return PLAIN
    for clause in accept.split(","):
        media, *rest = (part.strip() for part in clause.split(";"))
        params = dict(part.partition("=")[::2] for part in rest)
        if media in ("*/*", "application/*", ""):
            media = JSON
        if media not in (JSON, YAML) or params.get("stream", "watch") != "watch":
            continue
        wanted = params.get("as", "")
        if not wanted:
            return Form(media)
        version, group = params.get("v", ""), params.get("g", "")
        if transforms and wanted in _FORMS and group == "meta.k8s.io" and version in ("v1", "v1beta1"):
            return Form(media, wanted, version)
    raise errors.not_acceptable(ACCEPTED)

"""Content negotiation: in which form the client wants its answer. Pure.

Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json   ->  a Table if there is one, as JSON
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
    """How to answer: `transform` is "" or one of the meta.k8s.io kinds, `version` theirs."""

    media_type: str = JSON
    transform: str = ""
    version: str = "v1"

    @property
    def plain(self) -> bool:
        """Whether stored bytes are the answer as they are."""
        return not self.transform and self.media_type == JSON


PLAIN = Form()


@lru_cache(maxsize=256)
def negotiate(accept: str, *, transforms: bool = True) -> Form:
    """The first form of an Accept header that can be had. Raises NotAcceptable."""
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

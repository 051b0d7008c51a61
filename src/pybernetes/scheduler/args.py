"""Arguments of plugins: `pluginConfig[].args` in a KubeSchedulerConfiguration."""

import msgspec

from pybernetes.api.field import Errors, Path


class Args(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of the arguments of every plugin; by itself, the arguments of a plugin that has none."""

    api_version: str = ""
    kind: str = ""
    """The plugin's name and "Args", or empty."""

    def validate(self, path: Path, errors: Errors) -> None:
        """Add what is wrong with the values to `errors`."""


class ResourceSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A resource that counts in a score."""

    name: str
    weight: int = 1


CPU_AND_MEMORY = (ResourceSpec(name="cpu"), ResourceSpec(name="memory"))

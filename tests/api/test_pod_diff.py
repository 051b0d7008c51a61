"""The difference between two pod specs, as error messages show it."""

import time

import msgspec
import msgspec.inspect

from pybernetes.api.core import pod_diff
from pybernetes.api.core.container import Container, EnvVar
from pybernetes.api.core.pod import PodSpec
from pybernetes.api.core.pod_internal import FIELDS
from pybernetes.api.core.volume import HostPathVolumeSource, Volume


def structs_of(struct: type[msgspec.Struct], found: dict[str, type[msgspec.Struct]]) -> dict[str, type[msgspec.Struct]]:
    """A struct and all that it contains, by name."""
    if struct.__name__ not in found:
        found[struct.__name__] = struct
        info = msgspec.inspect.type_info(struct)
        assert isinstance(info, msgspec.inspect.StructType)
        for field in info.fields:
            for part in [field.type, *getattr(field.type, "types", ()), getattr(field.type, "item_type", None)]:
                if isinstance(part, msgspec.inspect.StructType):
                    structs_of(part.cls, found)
    return found


def test_shows_the_changed_lines_with_three_lines_around_them() -> None:
    old = PodSpec(containers=[Container(name="a", image="a")])
    new = msgspec.structs.replace(old, host_network=True)
    assert pod_diff.difference(old, new).splitlines() == [
        "@@ -44,7 +44,7 @@",
        '  "DeprecatedServiceAccount": "",',
        '  "AutomountServiceAccountToken": null,',
        '  "NodeName": "",',
        '- "HostNetwork": false,',
        '+ "HostNetwork": true,',
        '  "HostPID": false,',
        '  "HostIPC": false,',
        '  "ShareProcessNamespace": null,',
    ]


def test_escapes_like_go() -> None:
    text = pod_diff.difference(PodSpec(), PodSpec(node_name="a<b>&\u2028"))
    assert '+ "NodeName": "a\\u003cb\\u003e\\u0026\\u2028",' in text


def test_embeds_the_source_of_a_volume() -> None:
    volume = Volume(name="v", host_path=HostPathVolumeSource(path="/a"))
    text = pod_diff.difference(PodSpec(), PodSpec(volumes=[volume]))
    assert (
        '+   "Name": "v",\n+   "HostPath": {\n+    "Path": "/a",\n+    "Type": null\n+   },\n+   "EmptyDir": null,'
        in text
    )


def test_every_field_of_every_struct_can_be_written() -> None:
    found = structs_of(PodSpec, {})
    assert len(found) > 90
    for name, struct in found.items():
        if name in FIELDS:
            written = {field.attribute for field in pod_diff._fields(struct, name)}
            assert written == set(struct.__struct_fields__), name


def test_a_large_spec_takes_bounded_time_and_space() -> None:
    old = PodSpec(containers=[Container(name="a", env=[EnvVar(name=f"N{i % 97}", value=f"{i}") for i in range(9000)])])
    new = PodSpec(containers=[Container(name="a", env=[EnvVar(name=f"N{i % 89}", value=f"{i}") for i in range(9000)])])
    began = time.process_time()
    text = pod_diff.difference(old, new)
    assert time.process_time() - began < 5
    assert len(text) <= pod_diff.MAX_SIZE + 10

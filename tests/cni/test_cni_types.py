"""Values of the wrong type in a configuration or a result are refused by name, and only regular files are read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.cni import errors, files, host_local, main, result, spec
from pybernetes.cni.errors import CniError
from pybernetes.cni.settings import Settings


@pytest.mark.parametrize("value", [14, 0, True, 1.5, [], ["/etc/resolv.conf"], {}, "a\0b", "\ud800"])
def test_a_path_that_is_not_a_string_is_refused_by_name(value: Any) -> None:
    ipam = {"type": "host-local", "subnet": "10.7.0.0/24", "resolvConf": value}
    with pytest.raises(CniError, match=r"^ipam\.resolvConf: expected a string, got") as caught:
        host_local.add(spec.Call("ADD", {"name": "n", "ipam": ipam}, container_id="a", ifname="eth0"))
    assert caught.value.code == errors.INVALID_CONFIG


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """Opening a pipe without a writer would block for ever; reading a device may change its state."""
    pipe, directory, good = tmp_path / "pipe", tmp_path / "directory", tmp_path / "good"
    os.mkfifo(pipe)
    directory.mkdir()
    good.write_text("nameserver 10.0.0.10\n")
    assert files.read_regular(str(good)) == b"nameserver 10.0.0.10\n"
    for path in (pipe, directory, Path("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file"):
            files.read_regular(str(path))
        assert files.read(str(path)) == ""
        config = {"cniVersion": "1.1.0", "name": "n", "type": "flannel", "subnetFile": str(path)}
        answer, code = main.run("flannel", STATUS, json.dumps(config).encode())
        assert (code, json.loads(answer)["code"]) == (1, errors.NOT_AVAILABLE)
    with pytest.raises(OSError, match="larger than 5 bytes"):
        files.read_regular(str(good), 5)


STATUS = {"CNI_COMMAND": "STATUS", "CNI_PATH": "/nowhere"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(JSON)
@settings(deadline=2000)
def test_a_value_has_its_type_or_is_refused(value: Any) -> None:
    source = Settings({"key": value})
    readers: list[tuple[Any, type | tuple[type, ...]]] = [
        (source.text, str),
        (source.switch, (bool, type(None))),
        (source.number, (int, type(None))),
        (source.texts, list),
        (source.map, dict),
        (source.section, Settings),
        (source.sections, list),
        (source.lists_of_sections, list),
        (source.address, str),
        (source.cidr, str),
        (source.mac, str),
    ]
    for reader, kind in readers:
        try:
            assert isinstance(reader("key"), kind)
        except CniError as error:
            assert error.code == errors.INVALID_CONFIG and error.message.startswith("key")


@given(JSON, st.sampled_from(["interfaces", "ips", "routes", "dns"]))
@settings(deadline=2000)
def test_a_result_is_decoded_or_refused(value: Any, key: str) -> None:
    try:
        made = result.read({key: value}, "prevResult")
        for version in spec.VERSIONS:
            assert spec.render(made, version)["cniVersion"] == version
        made.verify()
    except CniError as error:
        assert error.code == errors.DECODING_FAILURE

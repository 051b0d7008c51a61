"""Backend options that a user can give, and those that are refused before anything is created."""

import json
from pathlib import Path
from typing import Any

import pytest

from pybernetes.cluster import backend_choice
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.pod_network import net_conf, net_conf_path
from pybernetes.cluster.up import UpOptions, _backend_options, _write_network_config
from pybernetes.flannel.backends import BACKENDS

PSK = "x" * 96

#: Every option of every backend, with a valid value.
ALL: dict[str, dict[str, Any]] = {
    "vxlan": {
        "VNI": 2,
        "Port": 4789,
        "GBP": True,
        "Learning": True,
        "DirectRouting": True,
        "MTU": 1400,
        "MacPrefix": "0E-2A",
    },
    "host-gw": {},
    "ipip": {"DirectRouting": True},
    "wireguard": {
        "ListenPort": 51900,
        "ListenPortV6": 51901,
        "MTU": 1400,
        "Mode": "auto",
        "PersistentKeepaliveInterval": 25,
        "PSK": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
    },
    "ipsec": {"PSK": PSK, "UDPEncap": True, "ESPProposal": "aes256gcm16-sha384-prfsha384-ecp384"},
    "udp": {"Port": 8286},
    "bgp": {"ASNumber": 65001, "RouteReflectors": ["node-1"], "Peers": [], "GracefulRestartTime": 60},
    "extension": {
        name: "true"
        for name in (
            "PreStartupCommand",
            "PostStartupCommand",
            "SubnetAddCommand",
            "SubnetRemoveCommand",
            "ShutdownCommand",
        )
    },
    "alloc": {},
}


def test_every_backend_is_in_the_table() -> None:
    assert ALL.keys() == BACKENDS.keys()


@pytest.mark.parametrize("kind", ALL)
def test_every_option_is_known_by_its_documented_spelling(kind: str) -> None:
    lower = {key.lower(): value for key, value in ALL[kind].items()}
    assert backend_choice.document(kind.upper(), lower) == {"Type": kind, **ALL[kind]}
    with pytest.raises(ConfigError, match=f"backend {kind} has no option 'Colour'; it has "):
        backend_choice.document(kind, {**ALL[kind], "Colour": "red"})


@pytest.mark.parametrize("setting", ["", "=", "=1", "VNI", "VNI 2"])
def test_malformed_options(setting: str) -> None:
    with pytest.raises(ConfigError, match="is not KEY=VALUE"):
        backend_choice.parse_options([setting])


def test_secrets_come_from_files_and_are_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "psk"
    file.write_text("123456\n")
    assert backend_choice.parse_options([f"PSK=@{file}"]) == {"PSK": "123456"}
    with pytest.raises(ConfigError, match=r"PSK=@.*cannot read the file"):
        backend_choice.parse_options([f"PSK=@{tmp_path / 'none'}"])
    with pytest.raises(ConfigError) as refused:
        backend_choice.document("ipsec", {"PSK": "too-short-a-secret"})
    assert "too-short-a-secret" not in str(refused.value)
    assert PSK not in json.dumps(backend_choice.shown({"psk": PSK, "UDPEncap": True}))
    assert backend_choice.is_secret({"Psk": PSK}) and not backend_choice.is_secret({"VNI": 1})


def test_a_missing_requirement_is_reported_with_the_fix() -> None:
    needs = {"ipip": (lambda: False, "the kernel lacks ipip", "modprobe ipip")}
    with pytest.raises(
        ConfigError, match="ipip cannot be used here: the kernel lacks ipip; fix it with: modprobe ipip"
    ):
        backend_choice.require("ipip", needs=needs)
    backend_choice.require("host-gw")
    backend_choice.require("vxlan")


def test_up_writes_the_options(tmp_path: Path) -> None:
    layout = Layout("dev", 0, state_root=tmp_path / "s", run_root=tmp_path / "r")
    wish = _backend_options(UpOptions(name="dev", backend="vxlan", backend_options=("directrouting=true", "VNI=7")))
    _write_network_config(layout, "vxlan", wish)
    path = net_conf_path(layout)
    assert json.loads(path.read_text())["Backend"] == {"Type": "vxlan", "DirectRouting": True, "VNI": 7}
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(net_conf(layout, "alloc"))["Backend"] == {"Type": "alloc"}


@pytest.mark.parametrize("backend", ["", "none"])
def test_options_without_a_backend_are_refused(backend: str) -> None:
    assert _backend_options(UpOptions(name="dev", backend=backend)) == {}
    with pytest.raises(ConfigError, match="--backend-option needs --backend"):
        _backend_options(UpOptions(name="dev", backend=backend, backend_options=("VNI=1",)))

"""tuning: settings of a pod's interface and namespace, after another plugin made it.

Nothing is put back at DEL: the namespace that held the settings ends with the pod.
"""

from __future__ import annotations

from pybernetes.cni import errors, iface, spec
from pybernetes.cni.errors import CniError
from pybernetes.linux import linkmsg, sysctl
from pybernetes.linux.rtnl import read_u32


def add(call: spec.Call) -> spec.Json:
    """Apply `sysctl`, `mac`, `mtu`, `promisc`, `txQLen`; the result carries the new MAC."""
    result = spec.previous_result(call, needed="tuning")
    mac = _mac(call)
    with iface.Sandbox(call.netns) as sandbox:
        for name, value in _sysctls(call).items():
            sysctl.write(name, str(value), sandbox.fd)
        promiscuous = True if call.config.get("promisc") else None
        mtu, length = int(call.config.get("mtu") or 0), call.config.get("txQLen")
        if mac or mtu or promiscuous or length is not None:
            index, _, _ = sandbox.link(call.ifname)
            request = linkmsg.change(
                index, mac=mac, mtu=mtu, promiscuous=promiscuous, txqlen=-1 if length is None else int(length)
            )
            sandbox.nl.request(request)
    if mac:
        for entry in result.get("interfaces") or []:
            if entry.get("name") == call.ifname and entry.get("sandbox"):
                entry["mac"] = mac
    return result


def delete(call: spec.Call) -> None:
    """Nothing outlives the namespace."""


def check(call: spec.Call) -> None:
    with iface.Sandbox(call.netns) as sandbox:
        for name, value in _sysctls(call).items():
            found = sysctl.read(name, sandbox.fd)
            if found != str(value):
                raise CniError(errors.CHECK_FAILED, f"sysctl {name} is {found!r}, expected {str(value)!r}")
        _, _, attrs = sandbox.link(call.ifname)
    mtu = read_u32(attrs.get(linkmsg.IFLA_MTU))
    if call.config.get("mtu") and mtu != call.config["mtu"]:
        raise CniError(errors.CHECK_FAILED, f"MTU of {call.ifname} is {mtu}, expected {call.config['mtu']}")


def _mac(call: spec.Call) -> str:
    cni_args = spec.section(spec.section(call.config, "args"), "cni")
    return str(call.runtime.get("mac") or cni_args.get("mac") or call.args.get("MAC") or call.config.get("mac") or "")


def _sysctls(call: spec.Call) -> dict[str, str]:
    """Only settings of the network belong to the namespace; any other would be the whole node's."""
    wanted = {name.replace("IFNAME", call.ifname): value for name, value in spec.section(call.config, "sysctl").items()}
    for name in wanted:
        parts = name.replace(".", "/").split("/")
        if parts[0] != "net" or "" in parts:
            raise errors.invalid_config(f"sysctl {name} is not allowed: only net.* belongs to the pod")
    return wanted

"""tuning: settings of a pod's interface and namespace, after another plugin made it.

What an interface had before is noted in `dataDir`, under the stock plugin's names, and put back at DEL: an interface
that was moved into the pod outlives it. Sysctls end with the namespace.
"""

from __future__ import annotations

from pybernetes.cni import errors, files, iface, spec
from pybernetes.cni.bridge_config import read_mtu
from pybernetes.cni.errors import CniError, invalid_config
from pybernetes.linux import fastjson, linkmsg, sysctl
from pybernetes.linux.errors import Missing
from pybernetes.linux.rtnl import read_u32

DEFAULT_DATA_DIR = "/run/cni/tuning"
ALLOWED = "/etc/cni/tuning/allowlist.conf"
"""Where it is there: one regular expression per line, and a sysctl has to fit one of them."""


def add(call: spec.Call) -> spec.Json:
    """Apply `sysctl`, `mac`, `mtu`, `promisc`, `allmulti`, `txQLen`; the result carries the new MAC and MTU."""
    result = spec.previous_result(call, needed="tuning")
    wanted, settings = read(call), _sysctls(call)
    with iface.Sandbox(call.netns) as sandbox:
        for name, value in settings.items():
            sysctl.write(name, value, sandbox.fd)
        if wanted:
            _, before = _present(sandbox, call.ifname)
            _save(call, {key: before[key] for key in wanted})
            _apply(sandbox, call.ifname, wanted)
    for entry in result.get("interfaces") or []:
        if entry.get("name") == call.ifname and entry.get("sandbox"):
            entry.update(
                {key: wanted[key] for key in ("mac", "mtu") if key in wanted and (key == "mac" or key in entry)}
            )
    return result


def delete(call: spec.Call) -> None:
    """Put back what was noted; an interface or a namespace that is gone needs nothing."""
    try:
        before = fastjson.loads(files.read(_note(call)).encode() or b"{}")
    except ValueError:
        before = {}  # half a note: there is nothing to put back
    wanted = {key: before[key] for key in _KEYS if isinstance(before, dict) and before.get(key) not in (None, "")}
    if wanted and call.netns:
        try:
            with iface.Sandbox(call.netns) as sandbox:
                _apply(sandbox, call.ifname, wanted)
        except Missing:
            pass
    files.remove(_note(call))


def check(call: spec.Call) -> None:
    wanted = read(call)
    with iface.Sandbox(call.netns) as sandbox:
        for name, value in _sysctls(call).items():
            found = sysctl.read(name, sandbox.fd)
            if found.split() != value.split():
                raise CniError(errors.CHECK_FAILED, f"sysctl {name} is {found!r}, expected {value!r}")
        _, present = _present(sandbox, call.ifname)
    for key, value in wanted.items():
        if present[key] != value:
            raise CniError(errors.CHECK_FAILED, f"{key} of {call.ifname} is {present[key]}, expected {value}")


def status(call: spec.Call) -> None:
    """Ready when the settings make sense."""
    read(call)
    _sysctls(call)


def gc(call: spec.Call) -> None:
    """Remove the notes of this network's attachments that are no more."""
    keep = {f"{container}_{interface}.json" for container, interface in call.valid_attachments()}
    for name in files.names(_data_dir(call)):
        if not name.endswith(".json") or name in keep:
            continue
        try:
            note = fastjson.loads(files.read(f"{_data_dir(call)}/{name}").encode())
        except ValueError:
            continue
        if isinstance(note, dict) and note.get("network") == call.network:
            files.remove(f"{_data_dir(call)}/{name}")


# -- settings --------------------------------------------------------------------------------------------
_KEYS = ("mac", "mtu", "promisc", "allmulti", "txQLen")


def read(call: spec.Call) -> spec.Json:
    """What the interface is to have: the configuration's or `args`'; the MAC also CNI_ARGS' or the runtime's."""
    source = {**call.config, **spec.section(spec.section(call.config, "args"), "cni")}
    source["mac"] = call.runtime.get("mac") or source.get("mac") or call.args.get("MAC") or ""
    found: spec.Json = {}
    if source["mac"]:
        try:
            found["mac"] = linkmsg.mac_text(linkmsg.mac_bytes(source["mac"]))
        except (ValueError, AttributeError) as bad:
            raise invalid_config(f"invalid MAC address: {bad}") from bad
    if mtu := read_mtu(source):
        found["mtu"] = mtu
    for key in ("promisc", "allmulti"):
        if not isinstance(source.get(key), bool | None):
            raise invalid_config(f"{key}: expected true or false, got {source[key]!r}")
        if source.get(key) is not None:
            found[key] = source[key]
    length = source.get("txQLen")
    if length is not None:
        if not isinstance(length, int) or not 0 <= length < 1 << 31:
            raise invalid_config(f"txQLen: expected a number of packets, got {length!r}")
        found["txQLen"] = length
    return found


def _sysctls(call: spec.Call) -> dict[str, str]:
    """Only settings of the network belong to the namespace; any other would be the whole node's."""
    asked = {
        **spec.section(call.config, "sysctl"),
        **spec.section(spec.section(spec.section(call.config, "args"), "cni"), "sysctl"),
    }
    wanted = {name.replace("IFNAME", call.ifname): str(value) for name, value in asked.items()}
    for name in wanted:
        parts = name.replace(".", "/").split("/")
        if parts[0] != "net" or "" in parts:
            raise invalid_config(f"sysctl {name} is not allowed: only net.* belongs to the pod")
    if wanted and (allowed := files.read(ALLOWED)):
        _refuse_unlisted(list(asked), allowed)
    return wanted


def _refuse_unlisted(names: list[str], allowed: str) -> None:
    import re

    patterns = [line.strip() for line in allowed.splitlines() if line.strip() and not line.startswith("#")]
    for name in names:
        if not any(re.match(pattern, name) for pattern in patterns):
            raise invalid_config(f"sysctl {name} is not allowed: no line of {ALLOWED} fits it")


# -- the interface ---------------------------------------------------------------------------------------
def _present(sandbox: iface.Sandbox, ifname: str) -> tuple[int, spec.Json]:
    """(index, what the interface has now)."""
    index, flags, attrs = sandbox.link(ifname)
    return index, {
        "mac": linkmsg.mac_text(attrs.get(linkmsg.IFLA_ADDRESS)),
        "mtu": read_u32(attrs.get(linkmsg.IFLA_MTU)),
        "promisc": bool(flags & linkmsg.IFF_PROMISC),
        "allmulti": bool(flags & linkmsg.IFF_ALLMULTI),
        "txQLen": read_u32(attrs.get(linkmsg.IFLA_TXQLEN)),
    }


def _apply(sandbox: iface.Sandbox, ifname: str, wanted: spec.Json) -> None:
    index, _, _ = sandbox.link(ifname)
    request = linkmsg.change(
        index,
        mac=wanted.get("mac") or "",
        mtu=wanted.get("mtu") or 0,
        promiscuous=wanted.get("promisc"),
        allmulti=wanted.get("allmulti"),
        txqlen=wanted.get("txQLen", -1),
    )
    sandbox.nl.request(request)


# -- the note --------------------------------------------------------------------------------------------
def _data_dir(call: spec.Call) -> str:
    return str(call.config.get("dataDir") or DEFAULT_DATA_DIR)


def _note(call: spec.Call) -> str:
    return f"{_data_dir(call)}/{call.container_id}_{call.ifname}.json"


def _save(call: spec.Call, before: spec.Json) -> None:
    """Only once: a repeated ADD would note its own settings."""
    if files.read(_note(call)):
        return
    files.make_directories(_data_dir(call), 0o700)
    note = fastjson.dumps({**before, "network": call.network}, sort=True)
    files.write_whole(_note(call), note, f"{_data_dir(call)}/.{call.container_id}_{call.ifname}")

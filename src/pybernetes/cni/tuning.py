"""tuning: changes settings of a pod's interface and namespace, after another plugin created them.

The previous settings of an interface are recorded in `dataDir`, under the stock plugin's names, and restored at DEL: an
interface that was moved into the pod outlives it. Sysctls end with the namespace.
"""

from __future__ import annotations

from pybernetes.cni import errors, files, iface, spec
from pybernetes.cni.bridge_config import read_mtu
from pybernetes.cni.errors import CniError, invalid_config
from pybernetes.cni.result import Result
from pybernetes.cni.settings import Settings, mac
from pybernetes.linux import fastjson, linkmsg, sysctl
from pybernetes.linux.errors import Missing
from pybernetes.linux.rtnl import read_u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybernetes.linux.fastjson import Json

DEFAULT_DATA_DIR = "/run/cni/tuning"
ALLOWED = "/etc/cni/tuning/allowlist.conf"
"""If it exists: one regular expression per line; a sysctl must match one of them."""


class Tuning:
    """Settings of an interface; None or an empty MAC leaves a setting as it is."""

    __slots__ = ("allmulti", "mac", "mtu", "promisc", "tx_queue_length")

    def __init__(
        self,
        mac: str = "",
        mtu: int | None = None,
        promisc: bool | None = None,
        allmulti: bool | None = None,
        tx_queue_length: int | None = None,
    ) -> None:
        self.mac = mac
        self.mtu = mtu
        self.promisc = promisc
        self.allmulti = allmulti
        self.tx_queue_length = tx_queue_length

    def to_json(self) -> Json:
        """The given settings, under the names of the configuration."""
        values: Json = {
            "mac": self.mac or None,
            "mtu": self.mtu,
            "promisc": self.promisc,
            "allmulti": self.allmulti,
            "txQLen": self.tx_queue_length,
        }
        return {key: value for key, value in values.items() if value is not None}


def add(call: spec.Call) -> Result:
    """Apply `sysctl`, `mac`, `mtu`, `promisc`, `allmulti`, `txQLen`; the result carries the new MAC and MTU."""
    result = spec.required_result(call, "tuning")
    wanted, settings = read(call), _sysctls(call)
    with iface.Sandbox(call.netns) as sandbox:
        for name, value in settings.items():
            sysctl.write(name, value, sandbox.fd)
        if wanted.to_json():
            _, before = _present(sandbox, call.ifname)
            _save(call, {key: before.to_json()[key] for key in wanted.to_json()})
            _apply(sandbox, call.ifname, wanted)
    for one in result.interfaces:
        if one.name == call.ifname and one.sandbox:
            one.mac = wanted.mac or one.mac
            if one.mtu and wanted.mtu:
                one.mtu = wanted.mtu
    return result


def delete(call: spec.Call) -> None:
    """Restore the settings that ADD recorded, if the interface still exists."""
    try:
        wanted = _read_settings(Settings(fastjson.loads(files.read(_record(call)).encode() or b"{}")))
    except (ValueError, CniError):
        wanted = Tuning()  # a damaged record: there is nothing to restore
    if wanted.to_json() and call.netns:
        try:
            with iface.Sandbox(call.netns) as sandbox:
                _apply(sandbox, call.ifname, wanted)
        except Missing:
            pass
    files.remove(_record(call))


def check(call: spec.Call) -> None:
    wanted = read(call).to_json()
    with iface.Sandbox(call.netns) as sandbox:
        for name, value in _sysctls(call).items():
            found = sysctl.read(name, sandbox.fd)
            if found.split() != value.split():
                raise CniError(errors.CHECK_FAILED, f"sysctl {name} is {found!r}, expected {value!r}")
        present = _present(sandbox, call.ifname)[1].to_json()
    for key, value in wanted.items():
        if present.get(key) != value:
            raise CniError(errors.CHECK_FAILED, f"{key} of {call.ifname} is {present.get(key)}, expected {value}")


def status(call: spec.Call) -> None:
    """Ready when the configuration is valid."""
    read(call)
    _sysctls(call)


def gc(call: spec.Call) -> None:
    """Remove the records of this network's attachments that no longer exist."""
    keep = {f"{container}_{interface}.json" for container, interface in call.valid_attachments()}
    directory = _data_dir(call)
    for name in files.names(directory):
        if name.endswith(".json") and name not in keep and _network_of(f"{directory}/{name}") == call.network:
            files.remove(f"{directory}/{name}")


def _network_of(note: str) -> str:
    """The network of a record; empty for other files."""
    try:
        return Settings(fastjson.loads(files.read(note).encode())).text("network")
    except (ValueError, CniError):
        return ""


# -- settings --------------------------------------------------------------------------------------------
def read(call: spec.Call) -> Tuning:
    """The configured settings; those of `args` replace them. The MAC may also come from the runtime or CNI_ARGS."""
    wanted, args = _read_settings(call.settings), _read_settings(call.cni_args)
    return Tuning(
        mac=call.runtime.mac("mac") or args.mac or wanted.mac or mac(call.args.get("MAC", ""), "CNI_ARGS MAC"),
        mtu=wanted.mtu if args.mtu is None else args.mtu,
        promisc=wanted.promisc if args.promisc is None else args.promisc,
        allmulti=wanted.allmulti if args.allmulti is None else args.allmulti,
        tx_queue_length=wanted.tx_queue_length if args.tx_queue_length is None else args.tx_queue_length,
    )


def _read_settings(source: Settings) -> Tuning:
    return Tuning(
        mac=source.mac("mac"),
        mtu=read_mtu(source) or None,
        promisc=source.switch("promisc"),
        allmulti=source.switch("allmulti"),
        tx_queue_length=source.number("txQLen", 0, (1 << 31) - 1),
    )


def _sysctls(call: spec.Call) -> dict[str, str]:
    """Only `net.*` belongs to the namespace; all other sysctls would change the node."""
    asked = {**call.settings.map("sysctl"), **call.cni_args.map("sysctl")}
    wanted = {name.replace("IFNAME", call.ifname): value for name, value in asked.items()}
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
            raise invalid_config(f"sysctl {name} is not allowed: no line of {ALLOWED} matches it")


# -- the interface ---------------------------------------------------------------------------------------
def _present(sandbox: iface.Sandbox, ifname: str) -> tuple[int, Tuning]:
    """(index, the interface's present settings)."""
    index, flags, attrs = sandbox.link(ifname)
    return index, Tuning(
        mac=linkmsg.mac_text(attrs.get(linkmsg.IFLA_ADDRESS)),
        mtu=read_u32(attrs.get(linkmsg.IFLA_MTU)),
        promisc=bool(flags & linkmsg.IFF_PROMISC),
        allmulti=bool(flags & linkmsg.IFF_ALLMULTI),
        tx_queue_length=read_u32(attrs.get(linkmsg.IFLA_TXQLEN)),
    )


def _apply(sandbox: iface.Sandbox, ifname: str, wanted: Tuning) -> None:
    index, _, _ = sandbox.link(ifname)
    request = linkmsg.change(
        index,
        mac=wanted.mac,
        mtu=wanted.mtu or 0,
        promiscuous=wanted.promisc,
        allmulti=wanted.allmulti,
        txqlen=-1 if wanted.tx_queue_length is None else wanted.tx_queue_length,
    )
    sandbox.nl.request(request)


# -- the record ------------------------------------------------------------------------------------------
def _data_dir(call: spec.Call) -> str:
    return call.settings.text("dataDir") or DEFAULT_DATA_DIR


def _record(call: spec.Call) -> str:
    return f"{_data_dir(call)}/{call.container_id}_{call.ifname}.json"


def _save(call: spec.Call, before: Json) -> None:
    """Record settings once: a repeated ADD would record what the first one set."""
    if files.read(_record(call)):
        return
    files.make_directories(_data_dir(call), 0o700)
    note = fastjson.dumps({**before, "network": call.network}, sort=True)
    files.write_whole(_record(call), note, f"{_data_dir(call)}/.{call.container_id}_{call.ifname}")

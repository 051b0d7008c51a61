"""flannel: makes a bridge configuration from the node's subnet, and delegates to that plugin.

    subnet.env (written by flanneld) + `delegate` (written by an administrator) -> the delegate's configuration

The default delegate is `bridge` with `host-local`, run in this process; a plugin of another type is executed. The
configuration that it got at ADD is kept in `dataDir`/<container id>, so that DEL undoes exactly that, even if the lease
has changed in the meantime.
"""

from __future__ import annotations

from pybernetes.cni import delegate, errors, files, spec
from pybernetes.cni.errors import CniError, invalid_config
from pybernetes.cni.result import Result, read_routes
from pybernetes.linux import fastjson, ipmsg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybernetes.linux.fastjson import Json

DEFAULT_SUBNET_FILE = "/run/flannel/subnet.env"
DEFAULT_DATA_DIR = "/var/lib/cni/flannel"


class FlannelConfig:
    """The plugin's own settings; the delegate decodes its own."""

    __slots__ = ("delegate", "ipam")

    def __init__(self, call: spec.Call) -> None:
        source = call.settings
        self.delegate = source.json("delegate")
        """What the administrator configured for the delegate."""
        self.ipam = source.json("ipam")
        ipam = source.section("ipam")
        read_routes(ipam)
        ipam.lists_of_sections("ranges")
        kind = source.section("delegate")
        for key, where in (("name", ""), ("ipam", " from subnet.env")):
            if key in self.delegate:
                text = f"'delegate' dictionary must not have '{key}' field, it'll be set by flannel{where}"
                raise invalid_config(text)
        if kind.has("type") and not kind.text("type"):
            raise invalid_config("'delegate' dictionary, if present, must have (string) 'type' field, got ''")
        if kind.text("type") == "flannel":
            raise invalid_config("'delegate' cannot be flannel itself: expected bridge or another plugin")


def add(call: spec.Call) -> Result:
    """Attach the pod through the delegate. The record for DEL is on disk before anything is made."""
    config = _prepare(call)
    _save(call, config)
    return delegate.run(call, config["type"], _passed(call, config))


def _prepare(call: spec.Call) -> Json:
    """The delegate's configuration. An invalid configuration is reported even before flanneld is up."""
    FlannelConfig(call)
    return delegate_config(call, read_subnet_env(_subnet_file(call)))


def delete(call: spec.Call) -> None:
    """Detach with the configuration recorded at ADD. Without a record there is nothing to undo."""
    config = _load(_record(call)) or _fallback(call)
    if config is None:
        return
    delegate.run(call, config["type"], _passed(call, config))
    files.remove(_record(call))


def _fallback(call: spec.Call) -> Json | None:
    """For a damaged record: what ADD would use now. None if there is no record, or no subnet.env."""
    if not files.exists(_record(call)):
        return None
    try:
        return _prepare(call)
    except CniError:
        files.remove(_record(call))
        return None


def check(call: spec.Call) -> None:
    config = _load(_record(call))
    if config is None:
        raise CniError(errors.UNKNOWN_CONTAINER, f"no record of container {call.container_id} in {_data_dir(call)}")
    delegate.run(call, config["type"], _passed(call, config))


def status(call: spec.Call) -> None:
    """Ready when flanneld has written its file and the delegate is ready (asked only if it runs in this process)."""
    try:
        config = _prepare(call)
        if delegate.is_ours(config["type"]):
            delegate.run(call, config["type"], _passed(call, config))
    except CniError as error:
        raise CniError(errors.NOT_AVAILABLE, error.message, error.details) from error


def gc(call: spec.Call) -> None:
    """Call GC of this network's delegates, then remove the records of containers that no longer exist."""
    containers = {container for container, _ in call.valid_attachments()}
    stale: list[str] = []
    kinds: dict[str, Json] = {}
    for name in files.names(_data_dir(call)):
        config = _load(f"{_data_dir(call)}/{name}")
        if config is None or config.get("name") != call.network:
            continue
        kinds[fastjson.dumps(config, sort=True)] = config
        if name not in containers:
            stale.append(name)
    for config in kinds.values():
        delegate.run(call, config["type"], _passed(call, config))
    for name in stale:
        files.remove(f"{_data_dir(call)}/{name}")


# -- subnet.env ------------------------------------------------------------------------------------------
class SubnetEnv:
    """The contents of the subnet file: this node's networks, in canonical form."""

    __slots__ = ("ipmasq", "mtu", "networks", "subnets")

    def __init__(self, networks: list[str], subnets: list[str], mtu: int, ipmasq: bool) -> None:
        self.networks = networks
        self.subnets = subnets
        self.mtu = mtu
        self.ipmasq = ipmasq


def read_subnet_env(path: str) -> SubnetEnv:
    """Read the node's subnet file. Raises CniError with TRY_AGAIN_LATER until flanneld has written it."""
    try:
        text = files.read_regular(path).decode()
    except OSError as error:
        message = f"loadFlannelSubnetEnv failed: open {path}: {(error.strerror or str(error)).lower()}"
        hint = "flanneld writes it once it has a lease: is it running?"
        raise CniError(errors.TRY_AGAIN_LATER, message, hint) from error
    except UnicodeDecodeError as error:
        raise invalid_config(f"{path} is not text") from error
    return parse_subnet_env(text, path)


def parse_subnet_env(text: str, path: str) -> SubnetEnv:
    """Parse KEY=VALUE lines; several networks of one family are separated by commas. Unknown keys are ignored."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals:
            values[key] = value.strip().strip('"')
    networks = [n for key in ("FLANNEL_NETWORK", "FLANNEL_IPV6_NETWORK") for n in values.get(key, "").split(",") if n]
    subnets = [values[key] for key in ("FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET") if values.get(key)]
    missing = [key for key in ("FLANNEL_MTU", "FLANNEL_IPMASQ") if not values.get(key)]
    if not networks:
        missing.append("FLANNEL_NETWORK or FLANNEL_IPV6_NETWORK")
    if not subnets:
        missing.append("FLANNEL_SUBNET or FLANNEL_IPV6_SUBNET")
    if missing:
        raise invalid_config(f"{path} is missing {', '.join(missing)}")
    try:
        mtu = int(values["FLANNEL_MTU"])
        networks, subnets = [ipmsg.network(n) for n in networks], [ipmsg.network(s) for s in subnets]
    except ValueError as bad:
        raise invalid_config(f"{path}: {bad}") from bad
    if not 68 <= mtu <= 65535:
        raise invalid_config(f"{path}: FLANNEL_MTU={mtu} is not an MTU (68 to 65535)")
    if values["FLANNEL_IPMASQ"] not in ("true", "false"):
        raise invalid_config(f"{path}: FLANNEL_IPMASQ={values['FLANNEL_IPMASQ']}: expected true or false")
    return SubnetEnv(networks, subnets, mtu, values["FLANNEL_IPMASQ"] == "true")


# -- the delegate ----------------------------------------------------------------------------------------
def delegate_config(call: spec.Call, env: SubnetEnv) -> Json:
    """The delegate's configuration: what the administrator configured, completed with the node's subnet. Pure.

    Either flanneld or the bridge masquerades, never both: hence ipMasq is the inverse of FLANNEL_IPMASQ.
    """
    own = FlannelConfig(call)
    config = own.delegate
    kind = config["type"] = config.get("type") or "bridge"
    config["name"] = call.network
    config.setdefault("ipMasq", not env.ipmasq)
    config.setdefault("mtu", env.mtu)
    if kind == "bridge":
        config.setdefault("isGateway", True)
    if call.config.get("cniVersion"):
        config["cniVersion"] = call.config["cniVersion"]
    if runtime := call.runtime_json:
        config["runtimeConfig"] = runtime
    config["ipam"] = _ipam(own.ipam, env)
    return config


def _ipam(ipam: Json, env: SubnetEnv) -> Json:
    """host-local with the node's subnets. A single IPv4 subnet uses the short form of older plugins."""
    ipam.setdefault("type", "host-local")
    if len(env.subnets) == 1 and ":" not in env.subnets[0] and not ipam.get("ranges"):
        ipam["subnet"] = env.subnets[0]
    else:
        ipam["ranges"] = [*(ipam.get("ranges") or []), *([{"subnet": subnet}] for subnet in env.subnets)]
    ipam["routes"] = [*(ipam.get("routes") or []), *({"dst": network} for network in env.networks)]
    return ipam


def _passed(call: spec.Call, config: Json) -> Json:
    """The delegate's configuration with the parts of this call that belong to it."""
    extra = {
        key: call.config[key]
        for key in ("prevResult", "runtimeConfig", "cni.dev/valid-attachments", "cni.dev/attachments")
        if call.config.get(key) is not None
    }
    if call.command == "ADD":
        extra.pop("prevResult", None)
    # DEL uses the recorded configuration, but the version of this call.
    if call.config.get("cniVersion"):
        extra["cniVersion"] = call.config["cniVersion"]
    return {**config, **extra}


# -- records on disk -------------------------------------------------------------------------------------
def _subnet_file(call: spec.Call) -> str:
    return call.settings.text("subnetFile") or DEFAULT_SUBNET_FILE


def _data_dir(call: spec.Call) -> str:
    return call.settings.text("dataDir") or DEFAULT_DATA_DIR


def _record(call: spec.Call) -> str:
    return f"{_data_dir(call)}/{call.container_id}"


def _save(call: spec.Call, config: Json) -> None:
    """Write the record atomically: DEL must never read a part of it."""
    files.make_directories(_data_dir(call), 0o700)
    files.write_whole(_record(call), fastjson.dumps(config, sort=True), f"{_data_dir(call)}/.{call.container_id}")


def _load(path: str) -> Json | None:
    """A record; None if there is none, or if it is damaged (then nothing can be undone)."""
    try:
        config = fastjson.loads(files.read(path, 1 << 20).encode())
    except ValueError:
        return None
    return config if isinstance(config, dict) and isinstance(config.get("type"), str) else None

"""flannel: the node's share of the pod network, taken from subnet.env, becomes a bridge configuration.

    subnet.env (written by flanneld) + `delegate` (written by an administrator) -> the delegate's configuration

The delegate is `bridge` with `host-local`, run in this very process; another type is executed. What it was
told at ADD is kept in `dataDir`/<container id>, so that DEL undoes that, even when the lease has changed.
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
    """The plugin's own settings; the delegate decodes its part itself."""

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
    """The delegate's configuration. Faults of the configuration are reported even before flanneld is up."""
    FlannelConfig(call)
    return delegate_config(call, read_subnet_env(_subnet_file(call)))


def delete(call: spec.Call) -> None:
    """Detach as noted at ADD. Without a note there is nothing of ours (CNI: DEL of what is gone succeeds)."""
    config = _load(_note(call)) or _presumed(call)
    if config is None:
        return
    delegate.run(call, config["type"], _passed(call, config))
    files.remove(_note(call))


def _presumed(call: spec.Call) -> Json | None:
    """In place of a note that cannot be read: what ADD would do now. None when there is no note, or no subnet.env."""
    if not files.exists(_note(call)):
        return None
    try:
        return _prepare(call)
    except CniError:
        files.remove(_note(call))
        return None


def check(call: spec.Call) -> None:
    config = _load(_note(call))
    if config is None:
        raise CniError(errors.UNKNOWN_CONTAINER, f"no record of container {call.container_id} in {_data_dir(call)}")
    delegate.run(call, config["type"], _passed(call, config))


def status(call: spec.Call) -> None:
    """Able to serve ADD as soon as flanneld has written its file, and the delegate is ready (one of ours is asked)."""
    try:
        config = _prepare(call)
        if delegate.is_ours(config["type"]):
            delegate.run(call, config["type"], _passed(call, config))
    except CniError as error:
        raise CniError(errors.NOT_AVAILABLE, error.message, error.details) from error


def gc(call: spec.Call) -> None:
    """Have the delegates of our network collect, then drop the notes of containers that are no more."""
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
    """What flanneld says of this node, networks in canonical form."""

    __slots__ = ("ipmasq", "mtu", "networks", "subnets")

    def __init__(self, networks: list[str], subnets: list[str], mtu: int, ipmasq: bool) -> None:
        self.networks = networks
        self.subnets = subnets
        self.mtu = mtu
        self.ipmasq = ipmasq


def read_subnet_env(path: str) -> SubnetEnv:
    """The node's subnet file; TRY_AGAIN_LATER as long as flanneld has not written it."""
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
    """KEY=VALUE lines; several networks of one family are separated by commas. Unknown keys are left alone."""
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
        raise invalid_config(f"{path}: FLANNEL_MTU={mtu} is no MTU (68 to 65535)")
    if values["FLANNEL_IPMASQ"] not in ("true", "false"):
        raise invalid_config(f"{path}: FLANNEL_IPMASQ={values['FLANNEL_IPMASQ']}: expected true or false")
    return SubnetEnv(networks, subnets, mtu, values["FLANNEL_IPMASQ"] == "true")


# -- the delegate ----------------------------------------------------------------------------------------
def delegate_config(call: spec.Call, env: SubnetEnv) -> Json:
    """The configuration of the delegate: the administrator's wishes, completed by the node's subnet. Pure.

    flanneld masquerades or the bridge does, never both: hence ipMasq is the inverse of FLANNEL_IPMASQ.
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
    """host-local over the node's subnets. One IPv4 subnet keeps the short form that older plugins wrote."""
    ipam.setdefault("type", "host-local")
    if len(env.subnets) == 1 and ":" not in env.subnets[0] and not ipam.get("ranges"):
        ipam["subnet"] = env.subnets[0]
    else:
        ipam["ranges"] = [*(ipam.get("ranges") or []), *([{"subnet": subnet}] for subnet in env.subnets)]
    ipam["routes"] = [*(ipam.get("routes") or []), *({"dst": network} for network in env.networks)]
    return ipam


def _passed(call: spec.Call, config: Json) -> Json:
    """What the delegate gets of a later call beyond its own configuration."""
    extra = {
        key: call.config[key]
        for key in ("prevResult", "runtimeConfig", "cni.dev/valid-attachments", "cni.dev/attachments")
        if call.config.get(key) is not None
    }
    if call.command == "ADD":
        extra.pop("prevResult", None)
    # DEL undoes what was noted, but in the version that is spoken now.
    if call.config.get("cniVersion"):
        extra["cniVersion"] = call.config["cniVersion"]
    return {**config, **extra}


# -- notes on disk ---------------------------------------------------------------------------------------
def _subnet_file(call: spec.Call) -> str:
    return call.settings.text("subnetFile") or DEFAULT_SUBNET_FILE


def _data_dir(call: spec.Call) -> str:
    return call.settings.text("dataDir") or DEFAULT_DATA_DIR


def _note(call: spec.Call) -> str:
    return f"{_data_dir(call)}/{call.container_id}"


def _save(call: spec.Call, config: Json) -> None:
    """In one step: DEL must never read half a note."""
    files.make_directories(_data_dir(call), 0o700)
    files.write_whole(_note(call), fastjson.dumps(config, sort=True), f"{_data_dir(call)}/.{call.container_id}")


def _load(path: str) -> Json | None:
    """A note; None when there is none, or when what is there cannot be one (then nothing can be undone)."""
    try:
        config = fastjson.loads(files.read(path, 1 << 20).encode())
    except ValueError:
        return None
    return config if isinstance(config, dict) and isinstance(config.get("type"), str) else None

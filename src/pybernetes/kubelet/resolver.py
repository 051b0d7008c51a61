"""A pod's resolv.conf, hosts file and host name. Pure."""

from pybernetes.api.core.pod import Pod
from pybernetes.kubelet.runtime import Dns

_MAX_SEARCHES = 32
_MAX_SERVERS = 3


def parse_resolv_conf(text: str) -> Dns:
    """Parse a resolv.conf. Unknown lines are ignored."""
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver":
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            searches = [w.rstrip(".") or "." for w in words[1:]]
        elif words[0] == "options":
            options += words[1:]
    return Dns(servers=tuple(servers), searches=tuple(searches), options=tuple(options))


def pod_dns(pod: Pod, host: Dns, cluster_dns: tuple[str, ...], domain: str) -> Dns:
    """The pod's DNS configuration: that of its dnsPolicy, amended by its dnsConfig."""
    policy = pod.spec.dns_policy or "ClusterFirst"
    if policy == "ClusterFirst" and pod.spec.host_network:
        policy = "Default"
    if policy == "None":
        base = Dns()
    elif policy in ("ClusterFirst", "ClusterFirstWithHostNet") and cluster_dns:
        suffixes = (f"{pod.metadata.namespace}.svc.{domain}", f"svc.{domain}", domain)
        searches = suffixes + tuple(s for s in host.searches if s not in suffixes)
        base = Dns(servers=cluster_dns, searches=searches, options=("ndots:5",))
    else:
        base = host
    return _with_config(pod, base)


def _with_config(pod: Pod, base: Dns) -> Dns:
    config = pod.spec.dns_config
    if config is None:
        return Dns(servers=base.servers[:_MAX_SERVERS], searches=base.searches[:_MAX_SEARCHES], options=base.options)
    options = {o.partition(":")[0]: o for o in base.options}
    for option in config.options:
        options[option.name] = f"{option.name}:{option.value}" if option.value else option.name
    return Dns(
        servers=tuple(dict.fromkeys((*base.servers, *config.nameservers)))[:_MAX_SERVERS],
        searches=tuple(dict.fromkeys((*base.searches, *config.searches)))[:_MAX_SEARCHES],
        options=tuple(options.values()),
    )


def pod_hostname(pod: Pod, domain: str) -> tuple[str, str]:
    """(host name, fully qualified domain name); the latter is empty for a pod without a subdomain."""
    name = (pod.spec.hostname or pod.metadata.name)[:63].rstrip("-.")
    if not pod.spec.subdomain:
        return name, ""
    return name, f"{name}.{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{domain}"


def sandbox_hostname(pod: Pod, domain: str) -> str:
    """The host name to set in the pod's sandbox. Empty for hostNetwork: such a pod sees the node's name."""
    if pod.spec.host_network:
        return ""
    name, qualified = pod_hostname(pod, domain)
    return qualified if pod.spec.set_hostname_as_fqdn and qualified else name


def hosts_file(pod: Pod, ips: tuple[str, ...], domain: str) -> str:
    """The content of the pod's /etc/hosts."""
    lines = [
        "# Kubernetes-managed hosts file.",
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::0\tip6-localnet",
        "fe00::0\tip6-mcastprefix",
        "fe00::1\tip6-allnodes",
        "fe00::2\tip6-allrouters",
    ]
    name, qualified = pod_hostname(pod, domain)
    lines += [f"{ip}\t{qualified}\t{name}" if qualified else f"{ip}\t{name}" for ip in ips]
    return "\n".join(lines) + "\n" + _aliases(pod)


def node_hosts_file(pod: Pod, node_hosts: str) -> str:
    """The content of /etc/hosts for a hostNetwork pod: that of the node, with the pod's hostAliases."""
    return "# Kubernetes-managed hosts file (host network).\n" + node_hosts + _aliases(pod)


def _aliases(pod: Pod) -> str:
    aliases = [f"{alias.ip}\t" + "\t".join(alias.hostnames) for alias in pod.spec.host_aliases if alias.hostnames]
    if not aliases:
        return ""
    return "\n# Entries added by HostAliases.\n" + "\n".join(aliases) + "\n"

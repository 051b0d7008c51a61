"""The kernel as Python: namespaces, links, routes, neighbours, nftables, iptables, conntrack, cgroups. No Kubernetes in it."""

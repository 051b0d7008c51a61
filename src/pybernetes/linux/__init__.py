"""The kernel as Python: namespaces, links, routes, neighbours, packet filters. Knows nothing about Kubernetes.

Two layers. `rtnl`, `linkmsg`, `ipmsg`, `netns` and `errors` import almost nothing, so that a CNI plugin
starts in milliseconds; `link`, `addr`, `route`, `neigh`, `fdb` and the rest add typed, frozen values for
long-running agents.
"""

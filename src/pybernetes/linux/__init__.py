"""The kernel as Python: namespaces, links, routes, neighbours, tables. Knows nothing of Kubernetes.

Two layers. `rtnl`, `linkmsg`, `ipmsg`, `netns` and `errors` import almost nothing, so that a CNI plugin
starts in milliseconds; `link`, `addr`, `route`, `neigh`, `fdb` and the rest add typed, frozen values for
long-running agents.
"""

"""The kube subnet manager: leases are facts on Kubernetes' Node objects."""

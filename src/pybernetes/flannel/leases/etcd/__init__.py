"""The etcd subnet manager: leases without any Kubernetes."""

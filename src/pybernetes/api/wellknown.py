"""Names that several components agree on: labels, annotations, taints, namespaces, users and groups.

Each string has the meaning that the Kubernetes documentation gives it ("Well-Known Labels, Annotations and Taints").
A name that only one module uses stays in that module.
"""

# Namespaces
NAMESPACE_SYSTEM = "kube-system"
NAMESPACE_NODE_LEASE = "kube-node-lease"

# Users and groups
GROUP_MASTERS = "system:masters"

# Labels of objects
LABEL_HOSTNAME = "kubernetes.io/hostname"
LABEL_ZONE = "topology.kubernetes.io/zone"
LABEL_SERVICE_NAME = "kubernetes.io/service-name"
LABEL_SLICE_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
LABEL_SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"
LABEL_HEADLESS = "service.kubernetes.io/headless"

# Annotations
ANNOTATION_MIRROR_POD = "kubernetes.io/config.mirror"
ANNOTATION_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ANNOTATION_SERVICE_ACCOUNT_NAME = "kubernetes.io/service-account.name"

# Types of Secrets
SECRET_SERVICE_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"

# Taints of nodes
TAINT_NOT_READY = "node.kubernetes.io/not-ready"
TAINT_UNREACHABLE = "node.kubernetes.io/unreachable"
TAINT_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
TAINT_MEMORY_PRESSURE = "node.kubernetes.io/memory-pressure"
TAINT_DISK_PRESSURE = "node.kubernetes.io/disk-pressure"
TAINT_PID_PRESSURE = "node.kubernetes.io/pid-pressure"
TAINT_NETWORK_UNAVAILABLE = "node.kubernetes.io/network-unavailable"

# Schedulers
DEFAULT_SCHEDULER = "default-scheduler"

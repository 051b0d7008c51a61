"""The rules of kube-apiserver's default roles, as tables.

A rule is (verbs, groups, resources), each a list of words separated by spaces. The core group is written `core`.
"""

READ = "get list watch"
WRITE = "create delete deletecollection patch update"
CHANGE = "create patch update"

Rule = tuple[str, str, str]
"""verbs, groups, resources (with `@name,name` for resource names); a group of `/` makes the resources paths"""
Rules = tuple[Rule, ...]

EVENTS: Rule = (CHANGE, "core events.k8s.io", "events")
REVIEWS: Rules = (
    ("create", "authentication.k8s.io", "tokenreviews"),
    ("create", "authorization.k8s.io", "subjectaccessreviews"),
)
HEALTH = "/healthz /livez /readyz /version /version/"

#: Cluster roles that are bound to groups or to components.
CLUSTER_ROLES: dict[str, Rules] = {
    "cluster-admin": (("*", "*", "*"), ("*", "/", "*")),
    "system:discovery": (
        ("get", "/", "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"),
    ),
    "system:basic-user": (
        ("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
        ("create", "authentication.k8s.io", "selfsubjectreviews"),
    ),
    "system:public-info-viewer": (("get", "/", HEALTH),),
    "system:monitoring": (
        ("get", "/", "/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*"),
    ),
    "system:service-account-issuer-discovery": (
        (
            "get",
            "/",
            "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/",
        ),
    ),
    "system:auth-delegator": REVIEWS,
    "system:kubelet-api-admin": (
        (READ, "core", "nodes"),
        ("proxy", "core", "nodes"),
        ("*", "core", "nodes/log nodes/metrics nodes/proxy nodes/stats nodes/configz nodes/healthz nodes/pods"),
    ),
    "system:node-bootstrapper": (("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),),
    "system:node-problem-detector": (("get", "core", "nodes"), ("patch", "core", "nodes/status"), EVENTS),
    "system:persistent-volume-provisioner": (
        ("create delete get list watch", "core", "persistentvolumes"),
        ("get list update watch", "core", "persistentvolumeclaims"),
        (READ, "storage.k8s.io", "storageclasses"),
        ("watch", "core", "events"),
        EVENTS,
    ),
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient": (
        ("create", "certificates.k8s.io", "certificatesigningrequests/nodeclient"),
    ),
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": (
        ("create", "certificates.k8s.io", "certificatesigningrequests/selfnodeclient"),
    ),
    "system:node": (
        *REVIEWS,
        ("create", "authorization.k8s.io", "localsubjectaccessreviews"),
        (READ, "core", "services"),
        ("create get list watch", "core", "nodes"),
        ("patch update", "core", "nodes nodes/status"),
        EVENTS,
        (READ, "core", "pods"),
        ("create delete", "core", "pods"),
        ("patch update", "core", "pods/status"),
        ("create", "core", "pods/eviction"),
        (READ, "core", "configmaps secrets"),
        ("get", "core", "persistentvolumeclaims persistentvolumes endpoints"),
        ("get patch update", "core", "persistentvolumeclaims/status"),
        ("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
        ("create delete get patch update", "coordination.k8s.io", "leases"),
        ("get", "storage.k8s.io", "volumeattachments"),
        ("create", "core", "serviceaccounts/token"),
        (READ, "storage.k8s.io", "csidrivers"),
        ("create delete get patch update", "storage.k8s.io", "csinodes"),
        (READ, "node.k8s.io", "runtimeclasses"),
        ("get", "resource.k8s.io", "resourceclaims"),
        ("create delete deletecollection get list patch update watch", "resource.k8s.io", "resourceslices"),
    ),
    "system:node-proxier": (
        ("list watch", "core", "services endpoints"),
        (READ, "core", "nodes"),
        EVENTS,
        ("list watch", "discovery.k8s.io", "endpointslices"),
        ("list watch", "networking.k8s.io", "servicecidrs"),
    ),
    "system:kube-dns": (("list watch", "core", "endpoints services"),),
    "system:coredns": (
        ("list watch", "core", "endpoints services pods namespaces"),
        ("list watch", "discovery.k8s.io", "endpointslices"),
    ),
    "system:kube-scheduler": (
        EVENTS,
        ("create", "coordination.k8s.io", "leases"),
        ("get list update watch", "coordination.k8s.io", "leases@kube-scheduler"),
        ("create", "coordination.k8s.io", "leasecandidates"),
        ("delete deletecollection get list patch update watch", "coordination.k8s.io", "leasecandidates"),
        (READ, "core", "nodes"),
        ("delete get list watch", "core", "pods"),
        ("create", "core", "bindings pods/binding"),
        ("patch update", "core", "pods/status"),
        (READ, "core", "replicationcontrollers services namespaces"),
        (READ, "apps extensions", "replicasets"),
        (READ, "apps", "statefulsets"),
        (READ, "policy", "poddisruptionbudgets"),
        ("get list patch update watch", "core", "persistentvolumeclaims persistentvolumes"),
        *REVIEWS,
        (READ, "storage.k8s.io", "csinodes csidrivers csistoragecapacities storageclasses volumeattachments"),
        (READ, "resource.k8s.io", "deviceclasses resourceslices"),
        ("get list patch update watch", "resource.k8s.io", "resourceclaims"),
        ("patch update", "resource.k8s.io", "resourceclaims/status"),
    ),
    "system:kube-controller-manager": (
        EVENTS,
        ("create", "coordination.k8s.io", "leases"),
        ("get list update watch", "coordination.k8s.io", "leases@kube-controller-manager"),
        ("create", "core", "secrets serviceaccounts"),
        ("delete", "core", "secrets"),
        ("get", "core", "configmaps namespaces secrets serviceaccounts"),
        ("update", "core", "secrets serviceaccounts"),
        *REVIEWS,
        ("list watch", "*", "*"),
        ("create", "core", "serviceaccounts/token"),
    ),
    "system:flannel": (
        ("get", "core", "pods"),
        (READ, "core", "nodes"),
        ("patch", "core", "nodes/status"),
        ("list", "networking.k8s.io", "networkpolicies servicecidrs"),
    ),
}

PODS = "pods pods/attach pods/exec pods/portforward pods/proxy"
CORE_OBJECTS = (
    "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets "
    "serviceaccounts services services/proxy"
)
APPS = (
    "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets "
    "statefulsets/scale"
)

#: The rules that `admin`, `edit` and `view` aggregate.
AGGREGATED: dict[str, Rules] = {
    "admin": (
        ("create", "authorization.k8s.io", "localsubjectaccessreviews"),
        (f"{WRITE} {READ}", "rbac.authorization.k8s.io", "rolebindings roles"),
    ),
    "edit": (
        (READ, "core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
        ("impersonate", "core", "serviceaccounts"),
        (WRITE, "core", PODS),
        ("create", "core", "pods/eviction"),
        (WRITE, "core", CORE_OBJECTS),
        ("create", "core", "serviceaccounts/token"),
        (WRITE, "apps", APPS),
        (WRITE, "autoscaling", "horizontalpodautoscalers"),
        (WRITE, "batch", "cronjobs jobs"),
        (WRITE, "networking.k8s.io", "ingresses networkpolicies"),
        (WRITE, "policy", "poddisruptionbudgets"),
        (f"{WRITE} {READ}", "coordination.k8s.io", "leases"),
        (WRITE, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
    ),
    "view": (
        (READ, "core", "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods "
         "replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status"),
        (READ, "core", "bindings events limitranges namespaces namespaces/status pods/log pods/status "
         "replicationcontrollers/status resourcequotas resourcequotas/status"),
        (READ, "discovery.k8s.io", "endpointslices"),
        (READ, "apps", "controllerrevisions daemonsets daemonsets/status deployments deployments/scale "
         "deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale "
         "statefulsets/status"),
        (READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
        (READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
        (READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
        (READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
        (READ, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
    ),
}  # fmt: skip

#: `system:controller:<name>`, each bound to the service account `kube-system/<name>`.
CONTROLLERS: dict[str, Rules] = {
    "certificate-controller": (
        ("delete get list watch", "certificates.k8s.io", "certificatesigningrequests"),
        ("update", "certificates.k8s.io", "certificatesigningrequests/approval certificatesigningrequests/status"),
        ("approve sign", "certificates.k8s.io", "signers"),
        ("create", "authorization.k8s.io", "subjectaccessreviews"),
        EVENTS,
    ),
    "clusterrole-aggregation-controller": (
        ("escalate get list patch update watch", "rbac.authorization.k8s.io", "clusterroles"),
    ),
    "cronjob-controller": (
        ("get list update watch", "batch", "cronjobs"),
        ("create delete get list patch update watch", "batch", "jobs"),
        ("update", "batch", "cronjobs/status cronjobs/finalizers"),
        ("delete list", "core", "pods"),
        EVENTS,
    ),
    "daemon-set-controller": (
        (READ, "apps extensions", "daemonsets"),
        ("update", "apps extensions", "daemonsets/status daemonsets/finalizers"),
        ("list watch", "core", "nodes"),
        ("create delete list patch watch", "core", "pods"),
        ("create", "core", "pods/binding"),
        ("create delete get list patch update watch", "apps", "controllerrevisions"),
        EVENTS,
    ),
    "deployment-controller": (
        # kube-controller-manager needs update only; ours patches annotations, to avoid conflicts with users' changes.
        ("get list patch update watch", "apps extensions", "deployments"),
        ("update", "apps extensions", "deployments/status deployments/finalizers"),
        ("create delete get list patch update watch", "apps extensions", "replicasets"),
        ("get list update watch", "core", "pods"),
        EVENTS,
    ),
    "disruption-controller": (
        (READ, "apps extensions", "deployments replicasets"),
        (READ, "core", "replicationcontrollers"),
        (READ, "apps", "statefulsets"),
        (READ, "policy", "poddisruptionbudgets"),
        ("update", "policy", "poddisruptionbudgets/status"),
        (READ, "core", "pods"),
        ("patch", "core", "pods/status"),
        ("get", "*", "*/scale"),
        EVENTS,
    ),
    "endpoint-controller": (
        (READ, "core", "pods services"),
        ("create delete get list update", "core", "endpoints"),
        ("create", "core", "endpoints/restricted"),
        EVENTS,
    ),
    "endpointslice-controller": (
        (READ, "core", "nodes pods services"),
        ("update", "core", "services/finalizers"),
        ("create delete get list update", "discovery.k8s.io", "endpointslices"),
        EVENTS,
    ),
    "endpointslicemirroring-controller": (
        (READ, "core", "endpoints services"),
        ("update", "core", "services/finalizers endpoints/finalizers"),
        ("create delete get list update", "discovery.k8s.io", "endpointslices"),
        EVENTS,
    ),
    "expand-controller": (
        ("get list patch update watch", "core", "persistentvolumes persistentvolumeclaims"),
        ("patch update", "core", "persistentvolumeclaims/status"),
        EVENTS,
    ),
    "ephemeral-volume-controller": (
        ("update", "core", "pods/finalizers"),
        (READ, "core", "pods"),
        ("create get list watch", "core", "persistentvolumeclaims"),
        EVENTS,
    ),
    "generic-garbage-collector": (
        ("delete get list patch update watch", "*", "*"),
        EVENTS,
    ),
    "horizontal-pod-autoscaler": (
        (READ, "autoscaling", "horizontalpodautoscalers"),
        ("update", "autoscaling", "horizontalpodautoscalers/status"),
        ("get update", "*", "*/scale"),
        ("list", "core", "pods"),
        ("get list", "custom.metrics.k8s.io external.metrics.k8s.io", "*"),
        ("list", "metrics.k8s.io", "pods"),
        EVENTS,
    ),
    "job-controller": (
        ("get list patch update watch", "batch", "jobs"),
        ("update", "batch", "jobs/status jobs/finalizers"),
        ("create delete list patch watch", "core", "pods"),
        EVENTS,
    ),
    "namespace-controller": (
        ("delete get list watch", "core", "namespaces"),
        ("update", "core", "namespaces/finalize namespaces/status"),
        ("delete deletecollection get list", "*", "*"),
    ),
    "node-controller": (
        ("delete get list patch update", "core", "nodes"),
        ("patch update", "core", "nodes/status"),
        ("create delete get list watch", "coordination.k8s.io", "leases"),
        ("delete get list watch", "core", "pods"),
        ("patch update", "core", "pods/status"),
        ("create get list update", "networking.k8s.io", "clustercidrs"),
        EVENTS,
    ),
    "pod-garbage-collector": (
        ("delete list watch", "core", "pods"),
        ("get list", "core", "nodes"),
        ("patch", "core", "pods/status"),
    ),
    "pv-protection-controller": (("get list update watch", "core", "persistentvolumes"), EVENTS),
    "pvc-protection-controller": (
        ("get list update watch", "core", "persistentvolumeclaims"),
        (READ, "core", "pods"),
        EVENTS,
    ),
    "replicaset-controller": (
        ("get list update watch", "apps extensions", "replicasets"),
        ("update", "apps extensions", "replicasets/status replicasets/finalizers"),
        ("create delete get list patch watch", "core", "pods"),
        EVENTS,
    ),
    "replication-controller": (
        ("get list update watch", "core", "replicationcontrollers"),
        ("update", "core", "replicationcontrollers/status replicationcontrollers/finalizers"),
        ("create delete get list patch watch", "core", "pods"),
        EVENTS,
    ),
    "resourcequota-controller": (
        ("list watch", "*", "*"),
        ("update", "core", "resourcequotas/status"),
        EVENTS,
    ),
    "root-ca-cert-publisher": (("create update", "core", "configmaps"), EVENTS),
    "service-account-controller": (("create", "core", "serviceaccounts"), EVENTS),
    "service-controller": (
        (READ, "core", "services"),
        ("patch update", "core", "services/status"),
        ("list watch", "core", "nodes"),
        EVENTS,
    ),
    "statefulset-controller": (
        ("list watch", "core", "pods"),
        (READ, "apps", "statefulsets"),
        ("update", "apps", "statefulsets/status statefulsets/finalizers"),
        ("create delete get patch update", "core", "pods"),
        ("create delete get list patch update watch", "apps", "controllerrevisions"),
        ("create delete get list update watch", "core", "persistentvolumeclaims"),
        EVENTS,
    ),
    "ttl-after-finished-controller": (("delete get list watch", "batch", "jobs"), EVENTS),
    "ttl-controller": (("list patch update watch", "core", "nodes"), EVENTS),
}

LEADER_NAMES = ("kube-controller-manager", "kube-scheduler")

#: Roles in kube-system: name -> rules.
SYSTEM_ROLES: dict[str, Rules] = {
    f"system::leader-locking-{name}": (
        ("watch", "core", "configmaps"),
        ("get update", "core", f"configmaps@{name}"),
        ("create", "coordination.k8s.io", "leases"),
        ("get list update watch", "coordination.k8s.io", f"leases@{name}"),
    )
    for name in LEADER_NAMES
}

#: cluster role -> subjects, written `kind name`; service accounts with their namespace.
BINDINGS: dict[str, tuple[str, ...]] = {
    "cluster-admin": ("Group system:masters",),
    "system:discovery": ("Group system:authenticated",),
    "system:basic-user": ("Group system:authenticated",),
    "system:public-info-viewer": ("Group system:authenticated", "Group system:unauthenticated"),
    "system:monitoring": ("Group system:monitoring",),
    "system:service-account-issuer-discovery": ("Group system:serviceaccounts",),
    "system:node": (),
    "system:node-proxier": ("User system:kube-proxy",),
    "system:kube-dns": ("ServiceAccount kube-system/kube-dns",),
    "system:coredns": ("ServiceAccount kube-system/coredns", "User system:kube-dns"),
    "system:kube-scheduler": ("User system:kube-scheduler",),
    "system:kube-controller-manager": ("User system:kube-controller-manager",),
    "system:flannel": ("User flannel", "User system:flannel"),
}

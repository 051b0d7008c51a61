"""Random clusters, small enough that nodes and pods affect each other."""

from typing import Any

from hypothesis import strategies as st

from pybernetes.api.core.affinity import (
    Affinity,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    PreferredSchedulingTerm,
    Toleration,
    TopologySpreadConstraint,
    WeightedPodAffinityTerm,
)
from pybernetes.api.core.container import ContainerPort
from pybernetes.api.core.node import ContainerImage, Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.meta import LabelSelector, LabelSelectorRequirement
from pybernetes.api.wellknown import LABEL_HOSTNAME as HOSTNAME
from pybernetes.api.wellknown import LABEL_ZONE as ZONE

from .make import node, pod, taint

APPS = ("web", "db")
NAMESPACES = ("default", "team")
NAMESPACE_LABELS = {"default": {}, "team": {"env": "prod"}}
TOPOLOGY = (HOSTNAME, ZONE)

taints = st.builds(
    taint,
    st.sampled_from(("gpu", "spot")),
    st.sampled_from(("NoSchedule", "NoExecute", "PreferNoSchedule")),
    st.sampled_from(("", "yes")),
)
tolerations = st.builds(
    lambda key, operator, value, effect: Toleration(
        key=key,
        operator=operator if key else "Exists",
        value=value if operator == "Equal" and key else "",
        effect=effect,
    ),
    st.sampled_from(("", "gpu", "spot", "node.kubernetes.io/unschedulable")),
    st.sampled_from(("Exists", "Equal")),
    st.sampled_from(("", "yes")),
    st.sampled_from(("", "NoSchedule", "PreferNoSchedule")),
)
images = st.lists(
    st.builds(
        lambda name, size: ContainerImage(names=[name], size_bytes=size << 20),
        st.sampled_from(("web:1", "big:latest")),
        st.integers(1, 3000),
    ),
    max_size=2,
    unique_by=lambda image: image.names[0],
)


def nodes(names: st.SearchStrategy[str]) -> st.SearchStrategy[Node]:
    return st.builds(
        node,
        names,
        cpu=st.sampled_from(("0", "1", "4")),
        memory=st.sampled_from(("0", "1Gi", "3Gi")),
        pods=st.sampled_from(("0", "1", "110")),
        zone=st.sampled_from(("", "a", "b")),
        labels=st.dictionaries(st.sampled_from(("disk", "cores")), st.sampled_from(("ssd", "4", "16")), max_size=2),
        taints=st.lists(taints, max_size=2),
        unschedulable=st.sampled_from((False, False, False, True)),
        images=images,
    )


def _requirement(key: str, operator: str) -> NodeSelectorRequirement:
    values = {"In": ["ssd", "16"], "NotIn": ["4"], "Gt": ["5"], "Lt": ["5"]}.get(operator, [])
    return NodeSelectorRequirement(key=key, operator=operator, values=values)


node_requirements = st.builds(
    _requirement,
    st.sampled_from(("disk", "cores", "absent")),
    st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")),
)
node_terms = st.builds(
    lambda expressions: NodeSelectorTerm(match_expressions=expressions), st.lists(node_requirements, max_size=2)
)
selectors = st.sampled_from(
    (
        None,
        LabelSelector(),
        LabelSelector(match_labels={"app": "web"}),
        LabelSelector(match_expressions=[LabelSelectorRequirement(key="app", operator="NotIn", values=["web"])]),
    )
)
pod_terms = st.builds(
    PodAffinityTerm,
    topology_key=st.sampled_from(TOPOLOGY),
    label_selector=selectors,
    namespaces=st.sampled_from(([], [], ["team"])),
    namespace_selector=st.sampled_from((None, None, LabelSelector(), LabelSelector(match_labels={"env": "prod"}))),
)
weighted_terms = st.builds(WeightedPodAffinityTerm, pod_affinity_term=pod_terms, weight=st.integers(1, 100))
rarely = st.lists(pod_terms, max_size=2)


def _group(kind: type[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.builds(
        kind,
        required_during_scheduling_ignored_during_execution=rarely,
        preferred_during_scheduling_ignored_during_execution=st.lists(weighted_terms, max_size=2),
    )


node_affinities = st.none() | st.builds(
    NodeAffinity,
    required_during_scheduling_ignored_during_execution=st.none()
    | st.builds(lambda terms: NodeSelector(node_selector_terms=terms), st.lists(node_terms, min_size=1, max_size=2)),
    preferred_during_scheduling_ignored_during_execution=st.lists(
        st.builds(PreferredSchedulingTerm, preference=node_terms, weight=st.integers(1, 100)), max_size=2
    ),
)
affinities = st.none() | st.builds(
    Affinity,
    node_affinity=node_affinities,
    pod_affinity=_group(PodAffinity),
    pod_anti_affinity=_group(PodAntiAffinity),
)
constraints = st.lists(
    st.builds(
        TopologySpreadConstraint,
        max_skew=st.integers(1, 3),
        topology_key=st.sampled_from(TOPOLOGY),
        when_unsatisfiable=st.sampled_from(("DoNotSchedule", "ScheduleAnyway")),
        label_selector=selectors,
        min_domains=st.sampled_from((None, None, 1, 3)),
        match_label_keys=st.sampled_from(([], ["app"])),
        node_affinity_policy=st.sampled_from(("", "Honor", "Ignore")),
        node_taints_policy=st.sampled_from(("", "Honor", "Ignore")),
    ),
    max_size=2,
)
ports = st.lists(
    st.builds(
        ContainerPort,
        container_port=st.just(80),
        host_port=st.sampled_from((0, 8080)),
        protocol=st.sampled_from(("TCP", "UDP")),
        host_ip=st.sampled_from(("", "10.0.0.1", "10.0.0.2")),
    ),
    max_size=1,
)


def pods(on: st.SearchStrategy[str] = st.just("")) -> st.SearchStrategy[Pod]:
    return st.builds(
        pod,
        st.just("p"),
        on=on,
        cpu=st.sampled_from(("", "0", "500m", "2")),
        memory=st.sampled_from(("", "512Mi", "2Gi")),
        namespace=st.sampled_from(NAMESPACES),
        labels=st.dictionaries(st.just("app"), st.sampled_from(APPS), max_size=1),
        node_selector=st.sampled_from(({}, {}, {"disk": "ssd"})),
        tolerations=st.lists(tolerations, max_size=2),
        affinity=affinities,
        topology_spread_constraints=constraints,
        ports=ports,
        image=st.sampled_from(("web:1", "big")),
    )

"""Validation of pods and pod templates, in the order in which kube-apiserver checks. Parts of a pod are validated in
files of their own.
"""

from pybernetes.api import names, rules
from pybernetes.api.core.container_validation import (
    PodFacts,
    validate_containers,
    validate_ephemeral_containers,
    validate_image_of_pod,
    validate_init_containers,
)
from pybernetes.api.core.placement_validation import validate_affinity, validate_spread, validate_tolerations
from pybernetes.api.core.pod_host_validation import (
    containers_with_paths,
    validate_host_facts,
    validate_host_name,
    validate_host_process,
    validate_os,
)
from pybernetes.api.core.pod_network_validation import validate_dns, validate_host_aliases, validate_host_network
from pybernetes.api.core.pod_object import Pod
from pybernetes.api.core.pod_spec import PodResourceClaim, PodSchedulingGate, PodSpec, PodTemplateSpec
from pybernetes.api.core.resource_validation import amount_of, validate_container_name, validate_resources
from pybernetes.api.core.security_validation import validate_pod_security_context
from pybernetes.api.core.volume import Volume
from pybernetes.api.core.volume_validation import validate_volumes
from pybernetes.api.field import Errors, Path
from pybernetes.api.meta_validation import NOT_NEGATIVE, validate_annotations, validate_labels

DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")
RESTART_POLICIES = ("Always", "OnFailure", "Never")

SPEC = Path("spec")


def validate_pod(pod: Pod, errors: Errors) -> None:
    """Validate a pod after defaulting."""
    spec = pod.spec
    validate_pod_spec(spec, SPEC, errors, pod_name=pod.metadata.name, is_pod=True)
    if not spec.service_account_name:
        _no_tokens(spec.volumes, SPEC / "volumes", errors)
    grace = spec.termination_grace_period_seconds
    if grace is not None and grace < 0:
        errors.invalid(SPEC / "terminationGracePeriodSeconds", grace, NOT_NEGATIVE)
    for containers, name in ((spec.containers, "containers"), (spec.init_containers, "initContainers")):
        for index, container in enumerate(containers):
            validate_image_of_pod(container, SPEC / name @ index, errors)


def validate_pod_create(pod: Pod, errors: Errors) -> None:
    """What a new pod may not have."""
    if pod.spec.ephemeral_containers:
        errors.forbidden(SPEC / "ephemeralContainers", "cannot be set on create")
    if pod.spec.node_name and pod.spec.scheduling_gates:
        errors.forbidden(SPEC / "nodeName", "cannot be set until all schedulingGates have been cleared")


def validate_template(template: PodTemplateSpec, path: Path, errors: Errors) -> None:
    """Validate the pod template of a workload."""
    validate_labels(template.metadata.labels, path / "labels", errors)
    validate_annotations(template.metadata.annotations, path / "annotations", errors)
    validate_pod_spec(template.spec, path / "spec", errors)
    if template.spec.ephemeral_containers:
        text = "ephemeral containers not allowed in pod template"
        errors.forbidden(path / "spec" / "ephemeralContainers", text)


def validate_pod_spec(spec: PodSpec, path: Path, errors: Errors, *, pod_name: str = "", is_pod: bool = False) -> None:
    """Rules for pods and pod templates."""
    volumes = validate_volumes(spec.volumes, pod_name, path / "volumes", errors)
    pod = PodFacts(
        volumes=volumes,
        claims=frozenset(claim.name for claim in spec.resource_claims if claim.name),
        restart_policy=spec.restart_policy,
        grace_seconds=spec.termination_grace_period_seconds,
        os=spec.os.name if spec.os is not None else None,
        host_users=spec.host_users is not False,
    )
    _resource_claims(spec.resource_claims, path / "resourceClaims", errors)
    validate_containers(spec.containers, pod, path / "containers", errors)
    validate_init_containers(spec.init_containers, spec.containers, pod, path / "initContainers", errors)
    others = [*spec.containers, *spec.init_containers]
    validate_ephemeral_containers(spec.ephemeral_containers, others, pod, path / "ephemeralContainers", errors)
    if spec.resources is not None:
        _pod_resources(spec, pod, path / "resources", errors)
    validate_host_network(spec, is_pod, path / "containers", errors)
    _placement(spec, path, errors)
    validate_host_process(spec, path, errors)
    validate_host_facts(spec, path, errors)
    validate_host_name(spec, path, errors)
    _names(spec, path, errors)
    if spec.preemption_policy and spec.preemption_policy not in PREEMPTION_POLICIES:
        errors.not_supported(path / "preemptionPolicy", spec.preemption_policy, list(PREEMPTION_POLICIES))
    _overhead(spec, path / "overhead", errors)
    validate_os(spec, path, errors)
    _scheduling_group(spec, path / "schedulingGroup", errors)
    _file_keys(spec, path, errors)


def _placement(spec: PodSpec, path: Path, errors: Errors) -> None:
    rules.one_of(spec.restart_policy, RESTART_POLICIES, path / "restartPolicy", errors)
    rules.one_of(spec.dns_policy, DNS_POLICIES, path / "dnsPolicy", errors)
    validate_labels(spec.node_selector, path / "nodeSelector", errors)
    validate_pod_security_context(
        spec.security_context,
        path / "securityContext",
        errors,
        host_network=spec.host_network,
        host_ipc=spec.host_ipc,
    )
    if spec.share_process_namespace and spec.host_pid:
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        errors.invalid(path / "shareProcessNamespace", True, text)
    validate_affinity(spec.affinity, path / "affinity", errors)
    validate_dns(spec, path / "dnsConfig", errors)
    for index, gate in enumerate(spec.readiness_gates):
        place = path / "readinessGates" @ index / "conditionType"
        rules.follows(gate.condition_type, names.qualified_name, place, errors)
    _gates(spec.scheduling_gates, path / "schedulingGates", errors)
    validate_spread(spec.topology_spread_constraints, path / "topologySpreadConstraints", errors)


def _names(spec: PodSpec, path: Path, errors: Errors) -> None:
    _follow(spec.service_account_name, names.dns_subdomain, path / "serviceAccountName", errors)
    _follow(spec.node_name, names.dns_subdomain, path / "nodeName", errors)
    deadline = spec.active_deadline_seconds
    if deadline is not None and not 1 <= deadline <= rules.MAX_INT32:
        errors.invalid(path / "activeDeadlineSeconds", deadline, names.in_range(1, rules.MAX_INT32))
    _follow(spec.hostname, names.dns_label, path / "hostname", errors)
    _follow(spec.subdomain, names.dns_label, path / "subdomain", errors)
    validate_tolerations(spec.tolerations, path / "tolerations", errors)
    validate_host_aliases(spec.host_aliases, path / "hostAliases", errors)
    _follow(spec.priority_class_name, names.dns_subdomain, path / "priorityClassName", errors)
    if spec.runtime_class_name is not None:
        rules.follows(spec.runtime_class_name, names.dns_subdomain, path / "runtimeClassName", errors)


def _follow(value: str, rule: rules.NameRule, path: Path, errors: Errors) -> None:
    if value:
        rules.follows(value, rule, path, errors)


def _gates(gates: list[PodSchedulingGate], path: Path, errors: Errors) -> None:
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        rules.follows(gate.name, names.qualified_name, path @ index, errors)
        if gate.name in seen:
            errors.duplicate(path @ index, gate.name)
        seen.add(gate.name)


def _no_tokens(volumes: list[Volume], path: Path, errors: Errors) -> None:
    text = "must not be specified when serviceAccountName is not set"
    for index, volume in enumerate(volumes):
        if volume.projected is None:
            continue
        for number, source in enumerate(volume.projected.sources):
            if source.service_account_token is not None:
                place = path @ index / "projected" / "sources" @ number / "serviceAccountToken"
                errors.forbidden(place, text)


def _resource_claims(claims: list[PodResourceClaim], path: Path, errors: Errors) -> None:
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        place = path @ index
        if claim.name and claim.name in seen:
            errors.duplicate(place / "name", claim.name)
        else:
            rules.named(claim.name, names.dns_label, place / "name", errors)
        seen.add(claim.name)
        claim_name, template = claim.resource_claim_name, claim.resource_claim_template_name
        # The value is shown as Go names its fields.
        shown = {"Name": claim.name, "ResourceClaimName": claim_name, "ResourceClaimTemplateName": template}
        if claim_name is not None and template is not None:
            text = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            errors.invalid(place, shown, text)
        if claim_name is None and template is None:
            errors.invalid(place, shown, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`")
        if claim_name is not None:
            rules.follows(claim_name, names.dns_subdomain, place / "resourceClaimName", errors)
        if template is not None:
            rules.follows(template, names.dns_subdomain, place / "resourceClaimTemplateName", errors)


def _pod_resources(spec: PodSpec, pod: PodFacts, path: Path, errors: Errors) -> None:
    resources = spec.resources
    if resources is None:
        return
    if pod.os == "windows":
        errors.forbidden(path, "may not be set for a windows pod")
        return
    if resources.claims:
        errors.forbidden(path / "claims", "claims may not be set for Resources at pod-level")
    validate_resources(resources, pod.claims, path, errors, of_pod=True)


def _overhead(spec: PodSpec, path: Path, errors: Errors) -> None:
    for name, amount in spec.overhead.items():
        place = path / "limits" @ name
        validate_container_name(name, place, errors)
        amount_of(name, amount, place, errors)


def _scheduling_group(spec: PodSpec, path: Path, errors: Errors) -> None:
    group = spec.scheduling_group
    if group is None:
        return
    if group.pod_group_name is None:
        errors.invalid(path / "podGroupName", None, "must specify one of: `podGroupName`")
    else:
        rules.follows(group.pod_group_name, names.dns_subdomain, path / "podGroupName", errors)
    if spec.eviction_responders:
        errors.forbidden(path, "may not be set when evictionResponders is set")


def _file_keys(spec: PodSpec, path: Path, errors: Errors) -> None:
    """Environment variables come only from files of volumes that are emptyDirs."""
    volumes = {volume.name: volume for volume in spec.volumes}
    for container, path_of in containers_with_paths(spec, path):
        for index, variable in enumerate(container.env):
            if variable.value_from is None or variable.value_from.file_key_ref is None:
                continue
            name = variable.value_from.file_key_ref.volume_name
            place = path_of / "env" @ index / "valueFrom" / "fileKeyRef" / "volumeName"
            if name not in volumes:
                errors.not_found(place, name)
            elif volumes[name].empty_dir is None:
                errors.invalid(place, name, "referenced volume must be of type emptyDir")

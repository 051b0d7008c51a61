"""Rules for the status of a pod."""

import pytest

from pybernetes.api.core.container import Container
from pybernetes.api.core.container_status import ContainerState, ContainerStateTerminated, ContainerStatus
from pybernetes.api.core.pod import Pod, PodCondition, PodIP, PodSpec, PodStatus
from pybernetes.api.core.pod_status_validation import validate_pod_status
from pybernetes.api.field import Errors


def errors_of(new: PodStatus, old: PodStatus | None = None, restart_policy: str = "Always") -> list[str]:
    spec = PodSpec(containers=[Container(name="a")], restart_policy=restart_policy)
    errors = Errors()
    validate_pod_status(Pod(spec=spec, status=new), Pod(spec=spec, status=old or PodStatus()), errors)
    return [str(error) for error in errors.items]


def exited(code: int) -> PodStatus:
    state = ContainerState(terminated=ContainerStateTerminated(exit_code=code))
    return PodStatus(container_statuses=[ContainerStatus(name="a", state=state)])


@pytest.mark.parametrize(
    ("policy", "code", "allowed"),
    [("Always", 0, True), ("OnFailure", 1, True), ("OnFailure", 0, False), ("Never", 1, False)],
)
def test_only_restarted_containers_leave_the_terminated_state(policy: str, code: int, allowed: bool) -> None:
    running = PodStatus(container_statuses=[ContainerStatus(name="a")])
    found = errors_of(running, exited(code), policy)
    assert (not found) is allowed
    assert allowed or "may not be transitioned to non-terminated state" in found[0]


def test_addresses_are_one_of_each_family() -> None:
    both = PodStatus(pod_ip="10.0.0.1", pod_ips=[PodIP(ip="10.0.0.1"), PodIP(ip="fd00::1")])
    assert errors_of(both) == []
    same = PodStatus(pod_ip="10.0.0.1", pod_ips=[PodIP(ip="10.0.0.1"), PodIP(ip="10.0.0.2")])
    assert "may specify no more than one IP for each IP family" in errors_of(same)[0]
    assert "must be a valid IP address" in errors_of(PodStatus(pod_ip="x"))[0]


def test_condition_types_are_qualified_names() -> None:
    assert errors_of(PodStatus(conditions=[PodCondition(type="example.com/ready")])) == []
    assert "conditions[0].Type" in errors_of(PodStatus(conditions=[PodCondition(type="A_b!")]))[0]


def test_the_qos_class_may_not_change() -> None:
    assert errors_of(PodStatus(qos_class="Burstable"), PodStatus(qos_class="BestEffort")) == [
        'status.qosClass: Invalid value: "Burstable": field is immutable'
    ]

"""`pybernetes scheduler --config`: the file's values, the flags that win over it, and what is refused."""

from pathlib import Path

import pytest

from pybernetes.cli.scheduler import Flags
from pybernetes.cli.scheduler_config import load, with_file
from pybernetes.cluster.errors import ConfigError

HEADER = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"


def write(directory: Path, text: str) -> Path:
    path = directory / "scheduler.yaml"
    path.write_text(text)
    return path


def test_a_file_as_kubeadm_users_write_it(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        HEADER
        + """
clientConnection:
  kubeconfig: /etc/kubernetes/scheduler.conf
  qps: 100
leaderElection:
  leaderElect: false
  leaseDuration: 30s
  resourceName: mine
profiles:
- schedulerName: default-scheduler
  plugins:
    score:
      disabled:
      - name: ImageLocality
""",
    )
    found = load(path)
    flags = with_file(Flags(leader_elect_resource_name="flag"), found)
    assert flags.kubeconfig == Path("/etc/kubernetes/scheduler.conf")
    assert flags.leader_elect is False and flags.leader_elect_lease_duration == 30
    assert flags.leader_elect_renew_deadline == Flags().leader_elect_renew_deadline
    assert flags.leader_elect_resource_name == "flag", "a flag wins over the file"
    assert [ref.name for ref in found.profiles[0].plugins.score.disabled] == ["ImageLocality"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "cannot read"),
        ("a: 1", "couldn't get version/kind"),
        (HEADER + "parallelism: 0", "parallelism: Invalid value: 0"),
        (HEADER + "profiles: [{plugins: {score: {enabled: [{name: Absent}]}}}]", 'ScorePlugin "Absent" does not exist'),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert message in str(caught.value)


def test_a_wrong_duration(tmp_path: Path) -> None:
    found = load(write(tmp_path, HEADER + "leaderElection: {retryPeriod: soon}"))
    with pytest.raises(ConfigError, match="retryPeriod"):
        with_file(Flags(), found)

"""KubeSchedulerConfiguration: what it makes of the default profile, and kube-scheduler's texts for bad input."""

from typing import Any

import pytest
import yaml

from pybernetes.scheduler.assembly import assemble_all, default_profile
from pybernetes.scheduler.config import Config, from_configuration
from pybernetes.scheduler.configuration import ConfigurationError, ProfileConfig, decode
from pybernetes.scheduler.objects import FixedObjects
from pybernetes.scheduler.profile import Profile
from pybernetes.scheduler.registry import IN_TREE

HEADER = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}


def config(text: str = "") -> Config:
    return from_configuration(decode(HEADER | (yaml.safe_load(text) or {})))


def profiles(text: str) -> dict[str, Profile]:
    return assemble_all(config(text).profiles, IN_TREE, FixedObjects())


def profile(plugins: str = "", plugin_config: str = "") -> Profile:
    made: dict[str, Any] = {"plugins": yaml.safe_load(plugins) or {}, "pluginConfig": yaml.safe_load(plugin_config)}
    document = HEADER | {"profiles": [{key: value for key, value in made.items() if value}]}
    (found,) = assemble_all(decode(document).profiles, IN_TREE, FixedObjects()).values()
    return found


def filters(found: Profile) -> list[str]:
    return [named.name for named in found.filters]


def scores(found: Profile) -> dict[str, int]:
    return {weighted.name: weighted.weight for weighted in found.scores}


def test_the_default_profile_is_that_of_kube_scheduler() -> None:
    found = default_profile()
    assert found.scheduler_name == "default-scheduler"
    assert filters(found) == [
        "NodeUnschedulable", "NodeName", "TaintToleration", "NodeAffinity", "NodePorts", "NodeResourcesFit",
        "PodTopologySpread", "InterPodAffinity",
    ]  # fmt: skip
    assert scores(found) == {
        "TaintToleration": 3,
        "NodeAffinity": 2,
        "NodeResourcesFit": 1,
        "PodTopologySpread": 2,
        "InterPodAffinity": 2,
        "NodeResourcesBalancedAllocation": 1,
        "ImageLocality": 1,
    }
    assert [name for name, _ in found.pre_enqueues] == ["SchedulingGates"]
    assert [name for name, _ in found.post_filters] == ["DefaultPreemption"]
    assert [name for name, _ in found.binds] == ["DefaultBinder"]


def test_an_empty_configuration_is_the_default() -> None:
    found = config()
    assert [p.scheduler_name for p in found.profiles] == ["default-scheduler"]
    assert (found.initial_backoff, found.max_backoff) == (1, 10)


def test_several_profiles() -> None:
    found = profiles("""
        podInitialBackoffSeconds: 2
        profiles:
        - schedulerName: default-scheduler
        - schedulerName: no-scoring
          plugins:
            preScore: {disabled: [{name: '*'}]}
            score: {disabled: [{name: '*'}]}
        """)
    assert list(found) == ["default-scheduler", "no-scoring"]
    assert scores(found["no-scoring"]) == {} and filters(found["no-scoring"]) == filters(found["default-scheduler"])


def test_disabled_at_one_point_only() -> None:
    found = profile("{score: {disabled: [{name: NodeAffinity}]}}")
    assert "NodeAffinity" in filters(found) and "NodeAffinity" not in scores(found)


def test_disabled_at_all_points() -> None:
    found = profile("{multiPoint: {disabled: [{name: NodeAffinity}]}}")
    assert "NodeAffinity" not in filters(found) and "NodeAffinity" not in scores(found)
    assert not found.pre_filters


def test_all_disabled_and_some_enabled_in_their_own_order() -> None:
    found = profile("""
        multiPoint:
          disabled: [{name: '*'}]
          enabled: [{name: PrioritySort}, {name: DefaultBinder}, {name: TaintToleration}, {name: NodeName}]
        """)
    assert filters(found) == ["TaintToleration", "NodeName"] and scores(found) == {"TaintToleration": 1}


def test_a_default_plugin_that_is_enabled_again_keeps_its_place_and_takes_the_new_weight() -> None:
    found = profile("{multiPoint: {enabled: [{name: NodeAffinity, weight: 7}]}}")
    assert filters(found) == filters(default_profile()) and scores(found)["NodeAffinity"] == 7


def test_the_weight_of_the_score_point_wins_and_comes_first() -> None:
    found = profile("{score: {enabled: [{name: ImageLocality, weight: 5}, {name: NodeResourcesFit}]}}")
    assert list(scores(found))[:2] == ["ImageLocality", "NodeResourcesFit"]
    assert scores(found)["ImageLocality"] == 5 and scores(found)["NodeResourcesFit"] == 1


def test_weight_zero_is_one() -> None:
    assert scores(profile("{score: {enabled: [{name: TaintToleration, weight: 0}]}}"))["TaintToleration"] == 1


def test_points_at_which_our_plugins_have_nothing_to_do_are_accepted() -> None:
    found = profile("{preFilter: {enabled: [{name: NodeResourcesFit}]}, preScore: {enabled: [{name: NodeAffinity}]}}")
    assert [name for name, _ in found.pre_filters] == ["NodeAffinity"]


@pytest.mark.parametrize(
    ("plugins", "message"),
    [
        ("{score: {enabled: [{name: Absent}]}}", 'ScorePlugin "Absent" does not exist'),
        (
            "{multiPoint: {enabled: [{name: Absent}]}}",
            'expanding multipoint plugins: PreFilterPlugin "Absent" does not exist',
        ),
        ("{score: {enabled: [{name: NodeName}]}}", 'plugin "NodeName" does not extend ScorePlugin plugin'),
        (
            "{filter: {enabled: [{name: NodeName}, {name: NodeName}]}}",
            'plugin "NodeName" already registered as "FilterPlugin"',
        ),
        (
            "{queueSort: {disabled: [{name: '*'}]}}",
            'only one queue sort plugin required for profile with scheduler name "default-scheduler", but got 0',
        ),
        (
            "{bind: {disabled: [{name: '*'}]}}",
            'at least one bind plugin is needed for profile with scheduler name "default-scheduler"',
        ),
    ],
)
def test_plugins_that_cannot_be_used(plugins: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        profile(plugins)
    assert str(caught.value) == f"creating profile for scheduler name default-scheduler: {message}"


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("InterPodAffinity", "{hardPodAffinityWeight: 101}", "not in valid range [0, 100]"),
        ("NodeResourcesFit", "{scoringStrategy: {type: Best}}", 'scoringStrategy.type: Unsupported value: "Best"'),
        (
            "NodeResourcesFit",
            "{scoringStrategy: {resources: [{name: cpu, weight: 101}]}}",
            "resource weight of cpu not in valid range (0, 100]",
        ),
        (
            "NodeResourcesFit",
            "{scoringStrategy: {type: RequestedToCapacityRatio}}",
            "must be specified when type is RequestedToCapacityRatio",
        ),
        (
            "NodeResourcesFit",
            "{scoringStrategy: {type: RequestedToCapacityRatio, requestedToCapacityRatio: {shape: []}}}",
            "at least one point must be specified",
        ),
        ("NodeResourcesFit", "{ignoredResourceGroups: [a/b]}", "resource group name can't contain '/'"),
        ("NodeResourcesBalancedAllocation", "{resources: [{name: cpu, weight: 2}]}", "must be 1"),
        (
            "PodTopologySpread",
            "{defaultConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]}",
            "when .defaultConstraints are not empty",
        ),
        ("PodTopologySpread", "{defaultingType: Other}", 'Unsupported value: "Other"'),
        (
            "PodTopologySpread",
            "{defaultingType: List, defaultConstraints: [{maxSkew: 0, topologyKey: zone, whenUnsatisfiable: X}]}",
            "not in valid range (0, inf)",
        ),
        (
            "DefaultPreemption",
            "{minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 0}",
            "cannot be zero at the same time as minCandidateNodesAbsolute",
        ),
        (
            "NodeAffinity",
            "{addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {}}}",
            "addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value",
        ),
        ("NodeAffinity", "{other: 1}", 'strict decoding error: unknown field "other"'),
        ("NodeAffinity", "{kind: NodeNameArgs}", "args for plugin NodeAffinity were not of type NodeAffinityArgs"),
    ],
)
def test_wrong_arguments(name: str, args: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        profile(plugin_config=f"[{{name: {name}, args: {args}}}]")
    assert name in str(caught.value) and message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("parallelism: 0", "parallelism: Invalid value: 0: should be an integer value greater than zero"),
        ("podInitialBackoffSeconds: 0", "podInitialBackoffSeconds: Invalid value: 0: must be greater than 0"),
        ("podMaxBackoffSeconds: 0", "must be greater than or equal to PodInitialBackoffSeconds"),
        ("percentageOfNodesToScore: 101", "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]"),
        ("profiles: [{schedulerName: a}, {}]", "profiles[1].schedulerName: Required value"),
        (
            "profiles: [{schedulerName: a}, {schedulerName: a}]",
            'profiles[1].schedulerName: Duplicate value: "profiles[0].schedulerName"',
        ),
        (
            "profiles: [{pluginConfig: [{name: NodeName}, {name: NodeName}]}]",
            'profiles[0].pluginConfig[1]: Duplicate value: "NodeName"',
        ),
        (
            "profiles: [{schedulerName: a}, "
            "{schedulerName: b, plugins: {queueSort: {enabled: [{name: PrioritySort}]}}}]",
            "must be the same for all profiles",
        ),
        (
            "profiles: [{plugins: {queueSort: {enabled: [{name: A}, {name: B}]}}}]",
            "profiles[0].plugins.queueSort.Enabled: Invalid value: 2: only one queue sort plugin can be enabled",
        ),
        ("leaderElection: {resourceLock: endpoints}", 'resourceLock value must be "leases"'),
        ("extenders: [{urlPrefix: http://x}]", "extenders are not supported"),
        ("profiles: [{plugin: {}}]", 'strict decoding error: unknown field "profiles[0].plugin"'),
        ("profiles: 1", "Expected `array`, got `int`"),
    ],
)
def test_wrong_files(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "couldn't get version/kind"),
        ({"kind": "KubeSchedulerConfiguration"}, "couldn't get version/kind"),
        (HEADER | {"kind": "Other"}, 'no kind "Other" is registered for version "kubescheduler.config.k8s.io/v1"'),
        (HEADER | {"apiVersion": "kubescheduler.config.k8s.io/v1beta3"}, "kubescheduler.config.k8s.io/v1beta3"),
    ],
)
def test_documents_of_another_kind(document: object, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        decode(document)
    assert message in str(caught.value)


def test_a_profile_that_occurs_twice() -> None:
    twice = (ProfileConfig(scheduler_name="a"), ProfileConfig(scheduler_name="a"))
    with pytest.raises(ConfigurationError, match='duplicate profile with scheduler name "a"'):
        assemble_all(twice, IN_TREE, FixedObjects())

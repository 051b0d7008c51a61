"""kubectl drain: it uses evictions, waits while the budget refuses, and continues when it allows."""

import pytest

from support.kubectls import kubectls

from .conftest import Api, Kubectl
from .objects import PODS
from .test_eviction import BUDGETS, VIOLATES, budget, is_going, running

#: Each takes five seconds, the pause between two attempts of kubectl; the oldest and the default one will do.
KUBECTLS = kubectls()[-2:]
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}


@pytest.mark.slow
@pytest.mark.parametrize("kubectl", KUBECTLS, indirect=True)
async def test_drain(kubectl: Kubectl, api: Api) -> None:
    await api.json("POST", "/api/v1/nodes", NODE, status=201)
    await running(api)
    made = await budget(api)
    drain = ("drain", "n1", "--force", "--grace-period=0")
    code, out, err = await kubectl.run(*drain, "--timeout=1s")
    assert code == 1
    assert "evicting pod default/web" in out + err
    assert VIOLATES in err and "will retry after 5s" in err
    assert not await is_going(api)
    assert "N/A" in (listed := await kubectl("get", "pdb", "web")) and "ALLOWED DISRUPTIONS" in listed
    made["status"] |= {"disruptionsAllowed": 1, "currentHealthy": 3}
    made["metadata"].pop("resourceVersion")
    await api.json("PUT", f"{BUDGETS}/web/status", made)
    dry = await kubectl(*drain, "--dry-run=server")
    assert "drained" in dry and not await is_going(api)
    assert "pod/web evicted" in await kubectl(*drain, "--timeout=10s")
    await api.json("GET", f"{PODS}/web", status=404)
    spent = (await api.json("GET", f"{BUDGETS}/web"))["status"]
    assert (spent["disruptionsAllowed"], list(spent["disruptedPods"])) == (0, ["web"])
    assert "created" in await kubectl("create", "pdb", "other", "--selector=app=x", "--max-unavailable=25%")
    described = await kubectl("describe", "pdb", "other")
    assert "Max unavailable:" in described and "25%" in described
    assert "deleted" in await kubectl("delete", "pdb", "--all")

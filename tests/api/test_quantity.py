"""Quantities: canonical forms, rounding, errors; compared with the Kubernetes client's own parser."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity

from pybernetes.api import quantity
from pybernetes.api.core.pod import Pod
from pybernetes.api.quantity import NANO, QuantityError


@pytest.mark.parametrize(
    ("text", "canonical", "milli", "value"),
    [
        ("0", "0", 0, 0),
        ("0Gi", "0", 0, 0),
        ("1", "1", 1000, 1),
        ("+1", "1", 1000, 1),
        ("100m", "100m", 100, 1),
        ("0.5", "500m", 500, 1),
        (".5", "500m", 500, 1),
        ("5.", "5", 5000, 5),
        ("1000m", "1", 1000, 1),
        ("1500m", "1500m", 1500, 2),
        ("1000", "1k", 1_000_000, 1000),
        ("1024", "1024", 1_024_000, 1024),
        ("1024Mi", "1Gi", 2**30 * 1000, 2**30),
        ("1.5Gi", "1536Mi", 1536 * 2**20 * 1000, 1536 * 2**20),
        ("0.5Ki", "512", 512_000, 512),
        ("1.1Ki", "1126400m", 1_126_400, 1127),
        ("1e3", "1e3", 1_000_000, 1000),
        ("1E", "1E", 10**21, 10**18),
        ("12e6", "12e6", 12 * 10**9, 12 * 10**6),
        ("1e-3", "1e-3", 1, 1),
        ("0.1n", "1n", 1, 1),
        ("-0.1n", "-1n", -1, -1),
        ("-500m", "-500m", -500, -1),
        ("0.000000001", "1n", 1, 1),
        ("123456789n", "123456789n", 124, 1),
        (2, "2", 2000, 2),
        (0.25, "250m", 250, 1),
        (2048, "2048", 2_048_000, 2048),
        (" 1Gi ", "1Gi", 2**30 * 1000, 2**30),
        ("1e99999999999", str(2**63 - 1), (2**63 - 1) * 1000, 2**63 - 1),
        ("9" * 5000, str(2**63 - 1), (2**63 - 1) * 1000, 2**63 - 1),
        ("1." + "3" * 5000, "1333333334n", 1334, 2),
        ("1e-99999999999", "1e-9", 1, 1),
        ("0e99999999999", "0", 0, 0),
    ],
)
def test_canonical(text: str | int | float, canonical: str, milli: int, value: int) -> None:
    assert quantity.canonical(text) == canonical
    stripped = text.strip() if isinstance(text, str) else text
    assert quantity.milli(stripped) == milli
    assert quantity.value(stripped) == value
    assert quantity.canonical(canonical) == canonical


@pytest.mark.parametrize("text", ["", " ", "lots", "1.1.M", "1+1.0M", "0.1mi", "0.1am", ".5i", "1i", "-3.01e-", "1 Gi"])
def test_not_a_quantity(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        quantity.parse(text)
    assert str(caught.value) in (quantity.FORMAT_TEXT, quantity.SUFFIX_TEXT, quantity.NUMERIC_TEXT)


NUMBERS = st.decimals(min_value=0, max_value=10**9, places=3, allow_nan=False)
SUFFIXES = st.sampled_from(["m", "", "k", "M", "G", "Ki", "Mi", "Gi", "e3"])


@given(NUMBERS, SUFFIXES)
def test_values_agree_with_the_kubernetes_client(number: Decimal, suffix: str) -> None:
    text = f"{number}{suffix}"
    amount = quantity.parse(text)
    exact = Decimal(number) * 1000 if suffix == "e3" else parse_quantity(text)
    assert Decimal(amount.nanos) == exact * NANO
    assert quantity.parse(quantity.canonical(text)).nanos == amount.nanos


@given(st.text(alphabet="0123456789.+-eEinumkKMGTP", max_size=24))
def test_canonical_form_is_stable(text: str) -> None:
    try:
        canonical = quantity.canonical(text)
    except QuantityError:
        return
    assert quantity.canonical(canonical) == canonical
    assert quantity.parse(canonical).nanos == quantity.parse(text).nanos


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_json_numbers(number: int | float) -> None:
    assert quantity.canonical(quantity.canonical(number)) == quantity.canonical(number)


def test_all_quantities_of_an_object() -> None:
    pod = msgspec.json.decode(
        b"""{"spec": {"overhead": {"cpu": 0.1},
        "containers": [{"name": "a", "resources": {"limits": {"cpu": 2, "memory": "1024Mi"}},
                        "env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "x", "divisor": 1}}}]}],
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "2048Mi"}}]},
        "status": {"containerStatuses": [{"name": "a", "allocatedResources": {"cpu": "0.1n"}}]}}""",
        type=Pod,
    )
    quantity.canonicalize(pod)
    assert pod.spec.overhead == {"cpu": "100m"}
    assert pod.spec.containers[0].resources.limits == {"cpu": "2", "memory": "1Gi"}
    source = pod.spec.containers[0].env[0].value_from
    assert source is not None and source.resource_field_ref is not None
    assert source.resource_field_ref.divisor == "1"
    assert pod.spec.volumes[0].empty_dir is not None
    assert pod.spec.volumes[0].empty_dir.size_limit == "2Gi"
    # Resource lists are rounded to thousandths.
    assert pod.status.container_statuses[0].allocated_resources == {"cpu": "1m"}

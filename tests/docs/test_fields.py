"""The example of docs/extending/fields.md runs, and the page names every fact."""

import re
from pathlib import Path
from typing import Any, get_args

from pybernetes.api.facts import Fact

PAGE = (Path(__file__).parents[2] / "docs" / "extending" / "fields.md").read_text()
#: Facts that only the types in meta.py carry.
BASIC = {"Binary", "DateTime", "Definition"}


def test_the_example_runs() -> None:
    names: dict[str, Any] = {"__name__": "machines"}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.M | re.S):
        exec(compile(block, "fields.md", "exec"), names)
    assert names["machine"].fields["macAddress"].attribute == "mac_address"


def test_every_fact_is_explained() -> None:
    assert {fact.__name__ for fact in get_args(Fact)} - BASIC == set(re.findall(r"`([A-Z]\w+)\(", PAGE))

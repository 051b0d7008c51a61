"""Performs docs/extending/cni-plugin.md: adds its plugin, and runs it in the chain that the page shows."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pybernetes.cni import errors, main, plugins
from pybernetes.linux import netns

PAGE = Path(__file__).parents[2] / "docs" / "extending" / "cni-plugin.md"


def block(language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return str(text)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's module, where its file would be, and its line in the list."""
    module = ModuleType("pybernetes.cni.alias")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(block("python"), str(PAGE), "exec"), module.__dict__)
    (line,) = re.findall(r'^    "(\w+)": "([\w.]+)",$', PAGE.read_text(), re.MULTILINE)
    monkeypatch.setitem(plugins.PLUGINS, *line)


@pytest.fixture
def pod() -> Iterator[str]:
    names = [f"pbt-own-{os.getpid()}-{part}" for part in ("node", "pod")]
    for name in names:
        netns.create(name)
    yield names[1]
    for name in names:
        netns.delete(name)


def run(plugin: str, command: str, config: dict[str, Any], pod: str) -> tuple[dict[str, Any], int]:
    environ = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": netns.path_of(pod),
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/nowhere",
    }
    node = pod.replace("-pod", "-node")
    out, code = netns.run_in(node, lambda: main.run(plugin, environ, json.dumps(config).encode()))
    return (json.loads(out) if out else {}), code


@pytest.mark.kernel
@pytest.mark.usefixtures("registered")
def test_the_plugin_of_the_page_works_in_a_chain(pod: str, tmp_path: Path) -> None:
    chain = json.loads(block("json"))
    first, second = [{**chain, **one} for one in chain.pop("plugins")]
    first["ipam"]["dataDir"] = str(tmp_path)
    result, code = run("bridge", "ADD", first, pod)
    assert code == 0, result
    second = {**second, "prevResult": result}
    passed, code = run("alias", "ADD", second, pod)
    assert (code, passed) == (0, result)
    assert run("alias", "CHECK", second, pod) == ({}, 0)
    assert run("alias", "CHECK", {**second, "alias": "another"}, pod)[0]["code"] == errors.CHECK_FAILED
    answer, code = run("alias", "ADD", {**second, "alias": 5}, pod)
    assert (code, answer["code"], answer["msg"]) == (1, 7, "alias: expected a string, got 5")
    for plugin, config in (("alias", second), ("bridge", first)):
        assert run(plugin, "DEL", config, pod) == ({}, 0)


@pytest.mark.parametrize("name", plugins.PLUGINS)
def test_every_plugin_has_the_functions_of_the_contract(name: str) -> None:
    module = plugins.load(name)
    assert all(callable(getattr(module, function)) for function in ("add", "delete", "check", "status", "gc"))

"""Namespaces, tools in them, and settings."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from pybernetes.linux import link, netns, sysctl, tool
from pybernetes.linux.errors import Exists, Missing, ToolError
from pybernetes.linux.rtnl import Netlink

pytestmark = pytest.mark.kernel


def test_names_are_those_of_ip_netns(ns: str) -> None:
    listed = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    assert ns in listed and netns.exists(ns) and ns in netns.list_names()
    with pytest.raises(Exists):
        netns.create(ns)
    assert netns.ensure(ns) == f"/run/netns/{ns}"


def test_a_leftover_file_is_reused(ns: str) -> None:
    netns.delete(ns)
    netns.delete(ns)
    open(netns.path_of(ns), "w").close()
    assert not netns.exists(ns)
    netns.create(ns)
    assert netns.exists(ns)


def test_entering_and_leaving(ns: str) -> None:
    home = netns.inode()
    with netns.enter(ns):
        assert netns.inode() == netns.inode(ns) != home
    assert netns.inode() == home
    with pytest.raises(RuntimeError), netns.enter(ns):
        raise RuntimeError
    assert netns.inode() == home


def test_a_missing_namespace(ns: str) -> None:
    with pytest.raises(Missing, match="no-such-ns"):
        Netlink("no-such-ns")
    with pytest.raises(OSError, match="setns"), netns.enter("/dev/null"):
        pass


def test_work_in_a_thread_returns_and_raises(ns: str) -> None:
    assert netns.run_in(ns, netns.inode) == netns.inode(ns)
    with pytest.raises(ZeroDivisionError):
        netns.run_in(ns, lambda: 1 // 0)


def test_a_command_runs_in_the_network_namespace_with_the_same_cgroups(ns: str) -> None:
    command = ["sh", "-c", "readlink /proc/self/ns/net; ls /sys/fs/cgroup | head -1"]
    process = netns.popen_in(ns, command, stdout=subprocess.PIPE)
    out, _ = process.communicate()
    first, second = out.decode().splitlines()
    assert first == f"net:[{netns.inode(ns)}]"
    assert second == sorted(os.listdir("/sys/fs/cgroup"))[0]


def test_links_come_up_in_a_new_namespace(nl: Netlink) -> None:
    (lo,) = link.links(nl)
    assert lo.up and lo.loopback


def test_tools(ns: str) -> None:
    assert tool.run(["cat"], stdin=b"x" * 200_000) == b"x" * 200_000
    assert f"net:[{netns.inode(ns)}]" in tool.run(["readlink", "/proc/self/ns/net"], netns=ns).decode()
    with pytest.raises(ToolError, match="no-such-tool exited with 127: not installed"):
        tool.run(["no-such-tool"])
    with pytest.raises(ToolError) as caught:
        tool.run(["sh", "-c", "echo broken >&2; exit 3"])
    assert (caught.value.code, caught.value.stderr) == (3, "broken\n")


def test_sysctls_belong_to_the_namespace(ns: str, new_netns: Callable[[], str]) -> None:
    other = new_netns()
    before = sysctl.read("net.ipv4.ip_forward", other)
    changed = str(1 - int(before))
    sysctl.write("net.ipv4.ip_forward", changed, ns)
    assert not sysctl.ensure("net.ipv4.ip_forward", changed, ns)
    assert (sysctl.read("net.ipv4.ip_forward", ns), sysctl.read("net.ipv4.ip_forward", other)) == (changed, before)
    with pytest.raises(Missing, match="no/such"):
        sysctl.read("net/no/such", ns)

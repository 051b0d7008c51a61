"""loopback: brings `lo` up in the sandbox. The runtime runs it for every pod."""

from __future__ import annotations

from pybernetes.cni import errors, spec
from pybernetes.cni.errors import CniError
from pybernetes.cni.result import Interface, Ip, Result
from pybernetes.linux import linkmsg
from pybernetes.linux.errors import Missing
from pybernetes.linux.rtnl import Netlink

NAME = "lo"


def add(call: spec.Call) -> Result:
    """Set `lo` up. Without a previous result, report the addresses that the kernel added."""
    with Netlink(call.netns) as nl:
        nl.request(linkmsg.change(NAME, up=True))
    if call.config.get("prevResult"):
        return spec.previous_result(call)
    return Result(
        interfaces=[Interface(NAME, mac="00:00:00:00:00:00", sandbox=call.netns)],
        ips=[Ip("127.0.0.1/8", interface=0), Ip("::1/128", interface=0)],
    )


def delete(call: spec.Call) -> None:
    """Set `lo` down, if the namespace still exists."""
    if not call.netns:
        return
    try:
        with Netlink(call.netns) as nl:
            nl.request(linkmsg.change(NAME, up=False))
    except Missing:
        return


def check(call: spec.Call) -> None:
    with Netlink(call.netns) as nl:
        _, flags, _ = linkmsg.decode(nl.request(linkmsg.get(NAME))[0])
    if not flags & linkmsg.IFF_UP:
        raise CniError(errors.CHECK_FAILED, "loopback interface is down")


def status(call: spec.Call) -> None:
    """Always ready."""


def gc(call: spec.Call) -> None:
    """Nothing to remove: the interface goes with its namespace."""

"""The order of a merged list: items of the patch in its order, other items around them where they were."""

from typing import Any

from pybernetes.apiserver.patch.errors import PatchError
from pybernetes.apiserver.patch.values import Json, scalar_key

Mark = tuple[str, Any]


def identity(item: Json, key: str, name: str) -> Mark:
    """What identifies an item of the list `name`: the value of its merge key, or the scalar itself (key "")."""
    if not key:
        return scalar_key(item)
    if not isinstance(item, dict):
        raise PatchError(f"invalid item of {name}: expected a map with the merge key {key}", 422)
    if key not in item:
        raise PatchError(f"map: {item} does not contain declared merge key: {key}")
    return scalar_key(item[key])


def _marks(items: list[Json], key: str) -> list[Mark]:
    """The identities of the items that have one."""
    return [identity(i, key, "list") for i in items if not key or (isinstance(i, dict) and key in i)]


def arrange(merged: list[Json], wanted: list[Json], before: list[Json], key: str) -> list[Json]:
    """Order `merged`: items of `wanted` in that order, the others in the order of `before`.

    The two sequences are merged by their old positions; if one of a pair is new, the item of `wanted` comes first.
    Therefore a container that a patch adds precedes the others, as in kube-apiserver.
    """
    if key and not all(isinstance(i, dict) and key in i for i in merged):
        return merged
    place = {mark: n for n, mark in reversed(list(enumerate(_marks(before, key))))}
    rank = {mark: n for n, mark in reversed(list(enumerate(_marks(wanted, key))))}

    def mark_of(item: Json) -> Mark:
        return identity(item, key, "list")

    chosen = sorted((i for i in merged if mark_of(i) in rank), key=lambda i: rank[mark_of(i)])
    others = [i for i in merged if mark_of(i) not in rank]
    others.sort(key=lambda i: place.get(mark_of(i), len(place)))
    result: list[Json] = []
    left, right = 0, 0
    while left < len(others) and right < len(chosen):
        old_left, old_right = place.get(mark_of(others[left])), place.get(mark_of(chosen[right]))
        if old_left is not None and old_right is not None and old_left < old_right:
            result.append(others[left])
            left += 1
        else:
            result.append(chosen[right])
            right += 1
    return result + others[left:] + chosen[right:]


def check_order(patch: list[Json], order: Json, key: str, name: str) -> None:
    """The items of a patch list must be in the order of `$setElementOrder`."""
    if not isinstance(order, list):
        raise PatchError("invalid patch format of setElementOrder list: it must be a list")
    rank = {mark: n for n, mark in enumerate(_marks(order, key))}
    places = [rank.get(m) for m in _marks([i for i in patch if not (isinstance(i, dict) and "$patch" in i)], key)]
    known = [p for p in places if p is not None]
    if len(known) != len(places) or known != sorted(known):
        raise PatchError(f"The order in patch list:\n{patch}\n doesn't match $setElementOrder/{name} list:\n{order}\n")

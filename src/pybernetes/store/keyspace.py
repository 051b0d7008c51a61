"""The current state: every key with its latest version, sorted, so that a prefix is one slice.

Keys are kept sorted per bucket. A bucket is a key's first two path segments (`/registry/pods/`), so that
adding a pod changes only the list of pods. Most prefixes lie in one bucket; a shorter prefix combines several.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable

from pybernetes.store.types import KeyValue


def check_key(key: str) -> None:
    """Check that a key is not empty and can be encoded as UTF-8. Raises ValueError."""
    if not key or "\0" in key:
        raise ValueError(f"key {key!r} must not be empty or contain NUL")
    key.encode()


def bucket_of(key: str) -> str:
    """The first two path segments with the trailing slash, or "" for a key that has fewer."""
    second = key.find("/", 1)
    third = key.find("/", second + 1) if second > 0 else -1
    return key[: third + 1] if third > 0 else ""


def slice_of(keys: list[str], prefix: str, start: str) -> tuple[int, int]:
    """The bounds, in the sorted `keys`, of those that have the prefix and follow `start`."""
    low = bisect_right(keys, start) if start >= prefix and start else bisect_left(keys, prefix)
    # Sorted keys with the same prefix are adjacent: search for the first key after them.
    if not prefix:
        return low, len(keys)
    high = bisect_left(keys, True, lo=low, key=lambda key: not key.startswith(prefix))
    return low, high


class Keyspace:
    """The latest version of each key. Single-threaded; changed only by `set` and `discard`."""

    def __init__(self) -> None:
        self.items: dict[str, KeyValue] = {}
        # Invariant: the lists together hold exactly the keys of `items`, each sorted, each key in one.
        self._buckets: dict[str, list[str]] = {}

    def load(self, versions: Iterable[KeyValue]) -> None:
        """Replace everything; sorts once instead of inserting one by one."""
        self.items = {kv.key: kv for kv in versions}
        self._buckets = {}
        for key in sorted(self.items):
            self._buckets.setdefault(bucket_of(key), []).append(key)

    def set(self, kv: KeyValue) -> None:
        if kv.key not in self.items:
            insort(self._buckets.setdefault(bucket_of(kv.key), []), kv.key)
        self.items[kv.key] = kv

    def discard(self, key: str) -> None:
        if self.items.pop(key, None) is None:
            return
        bucket = bucket_of(key)
        keys = self._buckets[bucket]
        del keys[bisect_left(keys, key)]
        if not keys:
            del self._buckets[bucket]

    def keys(self, prefix: str, start: str = "") -> list[str]:
        """The keys under a prefix that follow `start`, in order."""
        found = self._lists(prefix)
        if len(found) == 1:
            low, high = slice_of(found[0], prefix, start)
            return found[0][low:high]
        gathered: list[str] = []
        for keys in found:
            low, high = slice_of(keys, prefix, start)
            gathered += keys[low:high]
        gathered.sort()
        return gathered

    def count(self, prefix: str) -> int:
        total = 0
        for keys in self._lists(prefix):
            low, high = slice_of(keys, prefix, "")
            total += high - low
        return total

    def _lists(self, prefix: str) -> list[list[str]]:
        """The sorted lists that may hold keys with this prefix."""
        if bucket := bucket_of(prefix):
            keys = self._buckets.get(bucket)
            return [keys] if keys else []
        return [keys for name, keys in self._buckets.items() if not name or name.startswith(prefix)]

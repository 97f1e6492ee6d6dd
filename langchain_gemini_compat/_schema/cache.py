"""Caches compiled schemas by their exact content, so that an agent's tools are compiled once and not at each step.

The identity of a schema cannot be the key, because a schema is a dict, and its owner may change the dict between two
calls.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections import OrderedDict
from io import BytesIO
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

_Value = TypeVar("_Value")
#: The pickle protocol. Protocol 5 would accept `PickleBuffer` and `bytearray` objects, which must not get a cache key.
_PROTOCOL = 4


def build_key(value: object) -> bytes | None:
    """Return a cache key for `value`, or `None` if there is no key for it.

    Values with the same key are equal in every detail: the types of numbers (1, 1.0 and `True`), the order of
    properties, and the sign of zero. A value has a key only if it consists of JSON's types, tuples, sets and bytes.
    Instances of subclasses, such as enums, have no key. A value may contain itself.
    """
    written = BytesIO()
    try:
        _ExactPickler(written, _PROTOCOL).dump(value)
    except (pickle.PicklingError, RecursionError, RuntimeError):
        return None
    return written.getvalue()


class _ExactPickler(pickle.Pickler):
    """Pickles values of built-in types. Raises `PicklingError` for all other objects."""

    def reducer_override(self, obj: object) -> NoReturn:
        raise pickle.PicklingError(type(obj).__name__)


class BoundedCache(Generic[_Value]):
    """A thread-safe cache with limits on entries and bytes. Above a limit, it drops the least recently used values.

    The values are shared between callers, who must not change them.
    """

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Hashable, tuple[_Value, int]] = OrderedDict()
        self._bytes = 0
        self._renew_lock()
        if hasattr(os, "register_at_fork"):
            # If a thread holds the lock during a fork, the lock is never released in the child. So the child gets a new
            # lock.
            os.register_at_fork(after_in_child=self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> _Value | None:
        """Return the value of `key`; `None` if the cache does not have the key."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def add(self, key: Hashable, value: _Value, size: int) -> None:
        """Store a value of about `size` bytes under `key`. Do not store a value that is larger than the whole cache."""
        if size > self._max_bytes:
            return
        with self._lock:
            if key in self._entries:
                self._bytes -= self._entries.pop(key)[1]
            self._entries[key] = value, size
            self._bytes += size
            while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
                self._bytes -= self._entries.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Drop all values."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

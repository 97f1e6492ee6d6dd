"""Keeps compiled schemas by their exact content, so that the tools of an agent are compiled once and not at each step.

The key is not the identity of a schema, because a schema is a dict that its owner can change between two calls.
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
#: The newest protocol that refuses `PickleBuffer`, and that writes a `bytearray` as a class, which has no key.
_PROTOCOL = 4


def build_key(value: object) -> bytes | None:
    """Return bytes from which `value` could be rebuilt exactly; `None` if there are no such bytes.

    So two values with the same key are the same: the types of numbers (1, 1.0 and `True`), the order of properties and
    the sign of zero all count. A value with other types than those of JSON, tuples, sets and bytes has no key;
    subclasses such as enums count as other types. Parts that occur several times, and cycles, are written once.
    """
    written = BytesIO()
    try:
        _ExactPickler(written, _PROTOCOL).dump(value)
    except (pickle.PicklingError, RecursionError, RuntimeError):
        return None
    return written.getvalue()


class _ExactPickler(pickle.Pickler):
    """Writes built-in values, and refuses objects that decide themselves how they are written."""

    def reducer_override(self, obj: object) -> NoReturn:
        raise pickle.PicklingError(type(obj).__name__)


class BoundedCache(Generic[_Value]):
    """A thread-safe cache that drops the least recently used values above a number of entries or of bytes.

    The values are shared between callers, who must not change them.
    """

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Hashable, tuple[_Value, int]] = OrderedDict()
        self._bytes = 0
        self._renew_lock()
        if hasattr(os, "register_at_fork"):
            # In a forked child, a held lock would stay held, since its thread does not exist there.
            os.register_at_fork(after_in_child=self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> _Value | None:
        """Return the value of `key`; `None` if there is none."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def add(self, key: Hashable, value: _Value, size: int) -> None:
        """Keep the value of `key`, which takes about `size` bytes. A value above the maximum is not kept."""
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

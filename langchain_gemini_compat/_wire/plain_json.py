"""Tells whether a value consists only of JSON types.

For such a value, a fast encoder writes the same JSON as the standard library.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from langchain_gemini_compat._wire.json_types import JsonValue

    _Base: TypeAlias = dict[str, JsonValue]
    _ListBase: TypeAlias = list[JsonValue]
else:
    _Base = dict
    _ListBase = list


class PlainObject(_Base):
    """A JSON object that consists only of JSON types and is never changed, such as a compiled schema.

    Requests share the object, and `is_plain` does not search it again. A copy is an ordinary dict, because a copy may
    be changed.
    """

    def __reduce__(self) -> tuple[Callable[[_Base], _Base], tuple[_Base]]:
        return dict, ({**self},)


class PlainArray(_ListBase):
    """The declared functions of a request: a JSON array that consists only of JSON types and is never changed.

    Requests with the same functions share the array and its encoded form. A copy is an ordinary list, because a copy
    may be changed.
    """

    #: The array as JSON text. `None` until a request encodes the array.
    encoded: bytes | None = None

    def __reduce__(self) -> tuple[Callable[[_ListBase], _ListBase], tuple[_ListBase]]:
        return list, ([*self],)


#: Types whose values always consist only of JSON types.
_LEAVES = frozenset((str, int, bool, type(None), PlainObject, PlainArray))


def is_plain(value: object) -> bool:
    """Return whether `value` consists only of JSON types. Subclasses of these types do not count."""
    if type(value) is dict:
        items: Mapping[object, object] = value
        return {*map(type, items)} <= {str} and _are_plain(items.values())
    if type(value) is list:
        return _are_plain(value)
    # A float whose text has an exponent does not count as plain, because the fast encoder and the standard library
    # write exponents differently.
    return type(value) in _LEAVES or (type(value) is float and isfinite(value) and "e" not in repr(value))


def _are_plain(values: Collection[object]) -> bool:
    # Checking the set of types is faster than a Python call per value, and is enough for most collections.
    return {*map(type, values)} <= _LEAVES or all(map(is_plain, values))

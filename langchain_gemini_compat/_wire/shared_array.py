"""The declared functions of a request, as a JSON array that several requests share."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_gemini_compat._wire.json_types import JsonValue

    _ListBase: TypeAlias = list[JsonValue]
else:
    _ListBase = list


class SharedArray(_ListBase):
    """The declared functions of a request: a JSON array that is never changed.

    Requests with the same functions share the array and its encoded form. A copy is an ordinary list, because a copy
    may be changed.
    """

    #: The array as JSON text. `None` until a request encodes the array.
    encoded: bytes | None = None

    def __reduce__(self) -> tuple[Callable[[_ListBase], _ListBase], tuple[_ListBase]]:
        return list, ([*self],)

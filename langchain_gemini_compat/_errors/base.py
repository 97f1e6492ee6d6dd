"""The root of the exception tree, apart from it so that both of its halves can stand on it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

_E = TypeVar("_E", bound="GeminiCompatError")
#: HTTP objects hold sockets and headers with credentials: they do not travel between processes.
_LEFT_BEHIND = frozenset({"request", "response"})


class GeminiCompatError(Exception):
    """Root of all errors of this package.

    `is_retryable` says whether the same request may succeed later, `retry_after` after how many seconds, where
    the server said so, and `tries` how many requests were made for the call. `partial` is the text that had come.
    """

    is_retryable: bool = False
    retry_after: float | None = None
    tries: int = 1
    partial: str = ""

    def __reduce__(self) -> tuple[object, ...]:
        state = {key: value for key, value in self.__dict__.items() if key not in _LEFT_BEHIND}
        return _rebuild, (type(self), self.args, state)

    def __copy__(self) -> Self:
        return _rebuild(type(self), self.args, self.__dict__)

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        # The HTTP objects stay shared: within a process they may be kept, and nobody changes them.
        kept = {key: value for key, value in self.__dict__.items() if key in _LEFT_BEHIND}
        state = {key: value for key, value in self.__dict__.items() if key not in kept}
        return _rebuild(type(self), deepcopy(self.args, memo), deepcopy(state, memo) | kept)


def _rebuild(kind: type[_E], args: tuple[object, ...], state: Mapping[str, object]) -> _E:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error

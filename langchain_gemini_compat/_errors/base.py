"""The base class of all exceptions of this package. It does not import openai."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

_E = TypeVar("_E", bound="GeminiCompatError")
#: HTTP objects that are not pickled, because they contain sockets and headers with credentials.
_NOT_PICKLED = frozenset({"request", "response"})


class GeminiCompatError(Exception):
    """Base class of all errors of this package. Catch this class to catch all errors of a model of this package.

    A pickled error loses `request` and `response`. A copied error keeps both.

    Attributes:
        is_retryable: Whether the same request may succeed later. The package retries such errors, up to `max_retries`
            times, until you have received a part of the reply. Default: `False`.
        retry_after: Seconds to wait before the next try, if the server or the rate gate named a wait, else `None`.
        tries: Number of requests that were sent for this call.
        partial: Text of a stream that had arrived before the error. Empty for calls without a stream.

    Examples:
        ```python
        try:
            print(model.invoke("Hello").text)
        except GeminiCompatError as err:
            print(err, "Try again later." if err.is_retryable else "")
        ```
    """

    is_retryable: bool = False
    retry_after: float | None = None
    tries: int = 1
    partial: str = ""

    def __reduce__(self) -> tuple[object, ...]:
        state = {key: value for key, value in self.__dict__.items() if key not in _NOT_PICKLED}
        return _rebuild, (type(self), self.args, state)

    def __copy__(self) -> Self:
        return _rebuild(type(self), self.args, self.__dict__)

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        # The copy shares the HTTP objects with the original. This is safe, because these objects are never modified.
        kept = {key: value for key, value in self.__dict__.items() if key in _NOT_PICKLED}
        state = {key: value for key, value in self.__dict__.items() if key not in kept}
        return _rebuild(type(self), deepcopy(self.args, memo), deepcopy(state, memo) | kept)


def _rebuild(kind: type[_E], args: tuple[object, ...], state: Mapping[str, object]) -> _E:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error

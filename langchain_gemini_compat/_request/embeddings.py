"""Encodes texts as request bodies for `/embeddings`, and decodes the replies to vectors in the order of the texts.

Each text gets one vector. All numbers must be finite, and all vectors of a call must have the same length; otherwise an
error is raised. Missing values are never filled in.

Sources:

- The request: https://ai.google.dev/gemini-api/docs/openai
- AI Studio accepts at most 100 texts in one request: https://github.com/geldata/gel/issues/9032
- AI Studio refuses empty texts: https://github.com/lingfengQAQ/webnovel-writer/pull/51
- AI Studio leaves out an `index` of 0, or every `index`: https://github.com/samfoy/pi-session-search/issues/13
- AI Studio leaves out `usage`: https://github.com/agentgateway/agentgateway/issues/2451
- Vectors in base64 are little-endian 32-bit floats:
  https://github.com/openai/openai-python/blob/main/src/openai/resources/embeddings.py
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from struct import unpack
from typing import TYPE_CHECKING, NoReturn, TypeGuard, cast

from langchain_gemini_compat import errors
from langchain_gemini_compat._errors.pending import make_error
from langchain_gemini_compat._wire.json_types import list_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Maximum number of texts in one request to AI Studio.
MOST_TEXTS = 100
_NUMBERS = {int, float}
#: Returns its argument if it is a float. Any other argument raises `TypeError`.
_require_float = cast("Callable[[JsonValue], float]", float.conjugate)
_DIGITS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Batch:
    """One embeddings request with some of the texts of a call."""

    model: str
    #: The request body.
    payload: JsonObject
    #: The index of the batch's first text in the call, from 0.
    first: int
    #: The number of texts in the batch.
    size: int
    #: The requested vector length; `None` for the model's default.
    dimensions: int | None

    def __str__(self) -> str:
        """Return the indexes of the batch's texts as a slice, for error messages and the log."""
        return f"texts[{self.first}:{self.first + self.size}]"

    def decode(self, reply: Mapping[str, object]) -> list[list[float]]:
        """Return the vectors of `reply` in the order of the texts.

        Raises:
            InvalidReplyError: A vector is missing or invalid, or cannot be matched with its text.
        """
        data = list_at(reply, "data")
        if len(data) != self.size:
            _refuse(f"The reply has {len(data)} vectors for {self.size} texts ({self}). Try a smaller `batch_size`.")
        items = [item if isinstance(item, dict) else {} for item in data]
        order = self._read_order(items)
        if sorted(order) != list(range(self.size)):
            _refuse(f"The vectors for {self} have the indexes {order[:10]}, so they cannot be matched with the texts.")
        places = sorted(range(self.size), key=order.__getitem__)
        vectors = [_read_vector(items[place].get("embedding"), self.first + order[place]) for place in places]
        self._check_dimensions({len(vector) for vector in vectors})
        return vectors

    def _read_order(self, items: Sequence[JsonObject]) -> list[int]:
        """Return each vector's `index`. If every `index` is missing or 0, return the positions in the reply instead."""
        given = [self._read_index(item.get("index")) for item in items]
        return given if any(given) else list(range(len(items)))

    def _read_index(self, value: JsonValue) -> int:
        """Return the `index` of a vector; 0 if it is missing, because AI Studio leaves out an `index` of 0."""
        if value is None:
            return 0
        if isinstance(value, str):
            is_number = bool(_DIGITS.fullmatch(value))
        else:
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and value % 1 == 0
        if not is_number:
            _refuse(f"A vector for {self} has the `index` {value!r:.40}, so it cannot be matched with its text.")
        return int(cast("str | float", value))

    def _check_dimensions(self, lengths: set[int]) -> None:
        others = lengths - {self.dimensions}
        if self.dimensions is not None and others:
            text = (
                f"The vectors have {others.pop()} dimensions instead of {self.dimensions}: this model or server does "
                "not accept `dimensions`. Leave `dimensions` out."
            )
            raise make_error(lambda: _build_final_error(text))


def encode_batches(
    given: Iterable[str],
    endpoint: Endpoint,
    *,
    batch_size: int,
    dimensions: int | None,
    further: Mapping[str, JsonValue],
) -> list[Batch]:
    """Return the requests for the texts, in the order of the texts.

    Args:
        given: The texts.
        endpoint: The surface, host and model.
        batch_size: Maximum number of texts in a request.
        dimensions: The vector length; `None` for the model's default.
        further: Other body keys.

    Raises:
        UnsupportedContentError: A text is not a string, or it is empty and the server does not accept empty texts.
    """
    texts = _read_texts(given, takes_empty=endpoint.takes_empty_texts)
    wanted: JsonObject = {} if dimensions is None else {"dimensions": dimensions}
    named: JsonObject = {"model": endpoint.model} if endpoint.model else {}
    batches: list[Batch] = []
    for first in range(0, len(texts), batch_size):
        some = texts[first : first + batch_size]
        payload: JsonObject = {**further, **wanted, **named, "input": [*some]}
        batches.append(Batch(endpoint.name, payload, first, len(some), dimensions))
    return batches


def join_vectors(batches: Iterable[list[list[float]]]) -> list[list[float]]:
    """Return the vectors of all batches of a call as one list.

    >>> join_vectors([[[1.0], [2.0]], [[3.0]]])
    [[1.0], [2.0], [3.0]]

    Raises:
        InvalidReplyError: The vectors have different lengths. Raising the error imports openai.
    """
    joined: list[list[float]] = []
    for vectors in batches:
        for vector in vectors:
            if joined and len(vector) != len(joined[0]):
                # Do not call `_refuse` here. It may raise a placeholder, which only `_model.call` replaces with the
                # real error, and this code runs outside of `_model.call`.
                raise errors.InvalidReplyError(
                    f"The vectors have different lengths: {len(joined[0])} for texts[0] and {len(vector)} for "
                    f"texts[{len(joined)}]. One model returns one length, so check which server answers at `base_url`."
                )
            joined.append(vector)
    return joined


def _read_texts(given: Iterable[str], *, takes_empty: bool) -> list[str]:
    if isinstance(given, str):
        raise errors.UnsupportedContentError("`texts` is one string. Pass a list, or use `embed_query` for one text.")
    if not isinstance(cast("object", given), Iterable):
        raise errors.UnsupportedContentError(f"`texts` is a {type(given).__name__}. Pass a list of strings.")
    texts = list(given)
    for place, text in enumerate(cast("list[object]", texts)):
        if not isinstance(text, str):
            raise errors.UnsupportedContentError(f"texts[{place}] is a {type(text).__name__}. Pass a string.")
        if not text and not takes_empty:
            raise errors.UnsupportedContentError(
                f"texts[{place}] is empty. Google does not accept empty texts. Remove them before the call."
            )
    return texts


def _read_vector(value: JsonValue | tuple[float, ...], place: int) -> list[float]:
    if isinstance(value, str):
        value = _unpack(value)
    if isinstance(value, list) and _are_finite_floats(value):
        return value
    if not isinstance(value, (list, tuple)) or not value or not set(map(type, value)) <= _NUMBERS:
        _refuse(f"The vector for texts[{place}] is not a list of numbers.")
    try:
        vector = [float(number) for number in cast("list[float]", value)]
    except OverflowError:
        vector = [float("inf")]
    if not all(map(isfinite, vector)):
        _refuse(f"The vector for texts[{place}] has a number that is not finite.")
    return vector


def _are_finite_floats(values: list[JsonValue]) -> TypeGuard[list[float]]:
    """Return whether all `values` are floats and their sum is finite. If so, all numbers are finite.

    This check is quick: `float.conjugate` accepts only floats, and a sum with NaN or infinity is not finite. Vectors
    that fail it are checked and copied number by number. If this were done for all vectors, a text whose vector has 768
    numbers would take 1.4 times as long (measured in November 2026).
    """
    try:
        return bool(values) and isfinite(sum(map(_require_float, values)))
    except TypeError:
        return False


def _unpack(text: str) -> tuple[float, ...]:
    """Return the numbers of a base64 vector; an empty tuple if the text is not a base64 vector."""
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        return ()
    return unpack(f"<{len(data) // 4}f", data) if len(data) % 4 == 0 else ()


def _refuse(text: str) -> NoReturn:
    raise make_error(lambda: errors.InvalidReplyError(text))


def _build_final_error(text: str) -> errors.InvalidReplyError:
    """Return an error that is marked as not retryable."""
    error = errors.InvalidReplyError(text)
    error.is_retryable = False
    return error

"""Texts to bodies of `/embeddings`, and replies to vectors in the order of the texts. Pure.

Its one rule: one vector for each text, finite and as long as all others of the call, or an error; nothing is filled in.
Sources: https://ai.google.dev/gemini-api/docs/openai for the request. AI Studio takes 100 texts at once
(https://github.com/geldata/gel/issues/9032), refuses empty ones
(https://github.com/lingfengQAQ/webnovel-writer/pull/51), and leaves out an `index` of 0, or every one
(https://github.com/samfoy/pi-session-search/issues/13), and `usage`
(https://github.com/agentgateway/agentgateway/issues/2451). Vectors in base64 are 32-bit floats
(https://github.com/openai/openai-python/blob/main/src/openai/resources/embeddings.py), the lowest byte first.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from struct import unpack
from typing import TYPE_CHECKING, NoReturn, cast

from langchain_gemini_compat import errors
from langchain_gemini_compat._wire.json_types import list_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: So many texts AI Studio takes in one request.
MOST_TEXTS = 100
_NUMBERS = {int, float}
_DIGITS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Batch:
    """One request: its body, and which of the texts it holds, by the place of the first one and their count."""

    model: str
    payload: JsonObject
    first: int
    size: int
    dimensions: int | None

    def __str__(self) -> str:
        """Which texts, as errors and the log name them."""
        return f"texts[{self.first}:{self.first + self.size}]"

    def decode(self, reply: Mapping[str, object]) -> list[list[float]]:
        """The vectors of `reply`, in the order of the texts; raises `InvalidReplyError` where one is missing or bad."""
        data = list_at(reply, "data")
        if len(data) != self.size:
            _refuse(f"{len(data)} vectors came for the {self.size} of {self}. Try a smaller `batch_size`.")
        items = [item if isinstance(item, dict) else {} for item in data]
        order = self._read_order(items)
        if sorted(order) != list(range(self.size)):
            _refuse(f"The vectors for {self} are numbered {order[:10]}: it cannot be told which is whose.")
        places = sorted(range(self.size), key=order.__getitem__)
        vectors = [_read_vector(items[place].get("embedding"), self.first + order[place]) for place in places]
        self._check_dimensions({len(vector) for vector in vectors})
        return vectors

    def _read_order(self, items: Sequence[JsonObject]) -> list[int]:
        """The place of each item's text: by `index`, or as they came where that says nothing."""
        given = [self._read_index(item.get("index")) for item in items]
        return given if any(given) else list(range(len(items)))

    def _read_index(self, value: JsonValue) -> int:
        """Zero where it is left out, as AI Studio does it."""
        if value is None:
            return 0
        if isinstance(value, str):
            is_number = bool(_DIGITS.fullmatch(value))
        else:
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and value % 1 == 0
        if not is_number:
            _refuse(f"An `index` of the vectors for {self} is {value!r:.40}: it cannot be told which is whose.")
        return int(cast("str | float", value))

    def _check_dimensions(self, lengths: set[int]) -> None:
        others = lengths - {self.dimensions}
        if self.dimensions is not None and others:
            error = errors.InvalidReplyError(
                f"The vectors have {others.pop()} dimensions and {self.dimensions} were asked for: this model or "
                "server does not take `dimensions`. Leave it out."
            )
            error.is_retryable = False
            raise error


def encode_batches(
    given: Iterable[str],
    endpoint: Endpoint,
    *,
    batch_size: int,
    dimensions: int | None,
    further: Mapping[str, JsonValue],
) -> list[Batch]:
    """The requests for the texts that are `given`, `batch_size` of them in each; none for no texts.

    Raises `UnsupportedContentError` for what is no text, and for an empty one where the server takes none.
    """
    texts = _read_texts(given, takes_empty=endpoint.takes_empty_texts)
    wanted: JsonObject = {} if dimensions is None else {"dimensions": dimensions}
    batches: list[Batch] = []
    for first in range(0, len(texts), batch_size):
        some = texts[first : first + batch_size]
        payload: JsonObject = {**further, **wanted, "model": endpoint.model, "input": [*some]}
        batches.append(Batch(endpoint.model, payload, first, len(some), dimensions))
    return batches


def join_vectors(batches: Iterable[list[list[float]]]) -> list[list[float]]:
    """The vectors of all batches of a call; raises `InvalidReplyError` at the first of another length.

    >>> join_vectors([[[1.0], [2.0]], [[3.0]]])
    [[1.0], [2.0], [3.0]]
    """
    joined: list[list[float]] = []
    for vectors in batches:
        for vector in vectors:
            if joined and len(vector) != len(joined[0]):
                _refuse(
                    f"The vectors have different lengths: {len(joined[0])} for texts[0] and {len(vector)} for "
                    f"texts[{len(joined)}]. One model gives one length: check what answers at `base_url`."
                )
            joined.append(vector)
    return joined


def _read_texts(given: Iterable[str], *, takes_empty: bool) -> list[str]:
    if isinstance(given, str):
        raise errors.UnsupportedContentError("A list of texts is embedded, not one text: use `embed_query` for that.")
    if not isinstance(cast("object", given), Iterable):
        raise errors.UnsupportedContentError(f"A list of texts is embedded, not a {type(given).__name__}.")
    texts = list(given)
    for place, text in enumerate(cast("list[object]", texts)):
        if not isinstance(text, str):
            raise errors.UnsupportedContentError(f"texts[{place}] is a {type(text).__name__}. Only text is embedded.")
        if not text and not takes_empty:
            raise errors.UnsupportedContentError(
                f"texts[{place}] is empty, and Google embeds no empty text. Look for empty ones before the call."
            )
    return texts


def _read_vector(value: JsonValue | tuple[float, ...], place: int) -> list[float]:
    if isinstance(value, str):
        value = _unpack(value)
    if not isinstance(value, (list, tuple)) or not value or not set(map(type, value)) <= _NUMBERS:
        _refuse(f"The vector for texts[{place}] is no list of numbers.")
    try:
        vector = [float(number) for number in cast("list[float]", value)]
    except OverflowError:
        vector = [float("inf")]
    if not all(map(isfinite, vector)):
        _refuse(f"The vector for texts[{place}] holds a number that is not finite.")
    return vector


def _unpack(text: str) -> tuple[float, ...]:
    """The numbers of a vector in base64; none where it is no such thing."""
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        return ()
    return unpack(f"<{len(data) // 4}f", data) if len(data) % 4 == 0 else ()


def _refuse(text: str) -> NoReturn:
    raise errors.InvalidReplyError(text)

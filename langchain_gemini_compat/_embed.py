"""Texts to bodies of `/embeddings`, and replies to vectors in the order of the texts. Pure.

Its one rule: one vector for each text, finite and as long as the others, or an error; nothing is filled in.
Sources: https://ai.google.dev/gemini-api/docs/openai for the request. AI Studio takes 100 texts at once
(https://github.com/geldata/gel/issues/9032), refuses empty ones
(https://github.com/lingfengQAQ/webnovel-writer/pull/51), and leaves out an `index` of 0, or every one
(https://github.com/samfoy/pi-session-search/issues/13), and `usage`
(https://github.com/agentgateway/agentgateway/issues/2451).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, NoReturn, cast

from langchain_gemini_compat import errors
from langchain_gemini_compat._wire import list_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_gemini_compat._surfaces import Endpoint
    from langchain_gemini_compat._wire import JsonObject, JsonValue

#: So many texts AI Studio takes in one request.
MOST_TEXTS = 100
_NUMBERS = {int, float}


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
        order = _read_order(items)
        if sorted(order) != list(range(self.size)):
            _refuse(f"The vectors for {self} are numbered {order[:10]}: it cannot be told which is whose.")
        places = sorted(range(self.size), key=order.__getitem__)
        vectors = [_read_vector(items[place].get("embedding"), self.first + order[place]) for place in places]
        self._check_lengths({len(vector) for vector in vectors})
        return vectors

    def _check_lengths(self, lengths: set[int]) -> None:
        if len(lengths) > 1:
            _refuse(f"The vectors for {self} have different lengths: {sorted(lengths)}.")
        if self.dimensions is not None and lengths != {self.dimensions}:
            error = errors.InvalidReplyError(
                f"The vectors have {lengths.pop()} dimensions and {self.dimensions} were asked for: this model or "
                "server does not take `dimensions`. Leave it out."
            )
            error.is_retryable = False
            raise error


def encode_batches(
    texts: Sequence[str],
    endpoint: Endpoint,
    *,
    batch_size: int,
    dimensions: int | None,
    further: Mapping[str, JsonValue],
) -> list[Batch]:
    """The requests for `texts`, `batch_size` of them in each; none for no texts.

    Raises `UnsupportedContentError` for what is no text, and for an empty one where the server takes none.
    """
    _check_texts(texts, takes_empty=endpoint.surface == "openai_compatible")
    wanted: JsonObject = {} if dimensions is None else {"dimensions": dimensions}
    batches: list[Batch] = []
    for first in range(0, len(texts), batch_size):
        some = texts[first : first + batch_size]
        payload: JsonObject = {**further, **wanted, "model": endpoint.model, "input": [*some]}
        batches.append(Batch(endpoint.model, payload, first, len(some), dimensions))
    return batches


def _check_texts(texts: Sequence[object], *, takes_empty: bool) -> None:
    if isinstance(texts, str):
        raise errors.UnsupportedContentError("A list of texts is embedded, not one text: use `embed_query` for that.")
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise errors.UnsupportedContentError(f"texts[{place}] is a {type(text).__name__}. Only text is embedded.")
        if not text and not takes_empty:
            raise errors.UnsupportedContentError(f"texts[{place}] is empty, which Google refuses. Leave it out.")


def _read_order(items: Sequence[JsonObject]) -> list[int]:
    """The place of each item's text: by `index`, or as they came where that says nothing.

    >>> _read_order([{"index": 1}, {}]), _read_order([{}, {}]), _read_order([{"index": 0}, {"index": 0}])
    ([1, 0], [0, 1], [0, 1])
    """
    given = [_read_index(item.get("index")) for item in items]
    return given if any(given) else list(range(len(items)))


def _read_index(value: JsonValue) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _read_vector(value: JsonValue, place: int) -> list[float]:
    if not isinstance(value, list) or not value or not set(map(type, value)) <= _NUMBERS:
        _refuse(f"The vector for texts[{place}] is no list of numbers.")
    try:
        vector = [float(number) for number in cast("list[float]", value)]
    except OverflowError:
        vector = [float("inf")]
    if not all(map(isfinite, vector)):
        _refuse(f"The vector for texts[{place}] holds a number that is not finite.")
    return vector


def _refuse(text: str) -> NoReturn:
    raise errors.InvalidReplyError(text)

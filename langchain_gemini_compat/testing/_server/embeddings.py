"""Answer requests to `/embeddings` with vectors, a refusal or a fault.

Texts that share words or parts of words have similar vectors, so that a search finds them. The same text has the same
vector in every process.
Sources: https://ai.google.dev/gemini-api/docs/openai, https://ai.google.dev/gemini-api/docs/embeddings for the
lengths of vectors, and public reports for the refusals.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from hashlib import blake2b
from math import log, sqrt
from typing import TYPE_CHECKING

from langchain_gemini_compat.testing._model.json_values import as_list, as_text, dump
from langchain_gemini_compat.testing._model.replies import Raw
from langchain_gemini_compat.testing._render.context import build_context
from langchain_gemini_compat.testing._rules.violations import INVALID_ARGUMENT, Violation, unknown_field
from langchain_gemini_compat.testing._server.answers import Answer, Break, Pause, answer_raw, answer_reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat.testing._model.faults import Fault
    from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue, Surface

_KEYS = frozenset({"model", "input", "dimensions", "encoding_format"})
_MAX_TEXTS = 100
_MAX_DIMENSIONS = 3072
_WORD = re.compile(r"[^\W_]+")
#: Length of a word's prefix and of its n-grams, in characters. "image" and "images" have the same prefix.
_PREFIX_LENGTH, _NGRAM_LENGTH = 5, 3
#: The weights of a word's features in a vector: of the whole word, of its prefix, and of all its n-grams together.
_WORD_WEIGHT, _PREFIX_WEIGHT, _NGRAM_WEIGHT = 0.7, 1.0, 0.5
#: English words that say nothing about the topic of a text.
_STOP_WORD_LIST = (
    "a about all also an and any are as at be but by can do does each for from has have how i if in into is it its "
    "no not of on one or other so than that the their then there these they this to was what when where which who "
    "why will with you your"
)
_STOP_WORDS = frozenset(_STOP_WORD_LIST.split())


def check_embedding(body: JsonObject, surface: Surface) -> Iterator[Violation]:
    """Yield a violation for each part of `body` that the server would refuse."""
    texts = _texts(body)
    if not as_text(body.get("model")):
        yield Violation("model-name", "you must provide a model parameter")
    if surface != "ai_studio":
        return
    for key in sorted(body.keys() - _KEYS):
        yield unknown_field(key, "", "AI Studio refuses unknown keys. Leave this key out.")
    if len(texts) > _MAX_TEXTS:
        # Source of this error: https://github.com/geldata/gel/issues/9032
        message = f"* BatchEmbedContentsRequest.requests: at most {_MAX_TEXTS} requests can be in one batch\n"
        yield Violation("batch-size", message, "Send fewer texts at once.")
    if not texts or not all(as_text(text) for text in texts):
        # Source of this error: https://github.com/lingfengQAQ/webnovel-writer/issues/49
        yield Violation("empty-text", "EmbedContentRequest.content contains an empty Part.", "Leave empty texts out.")
    if "dimensions" in body and _dimensions(body) != body["dimensions"]:
        yield Violation("dimensions", INVALID_ARGUMENT, f"`dimensions` is a number from 1 to {_MAX_DIMENSIONS}.")


def answer_embedding(body: JsonObject, surface: Surface, fault: Fault | None) -> Answer:
    """Return the answer with vectors. With a `fault`, return what a chat request without streaming gets for this fault.

    Raises `TypeError` for a fault that only a chat reply can have, such as a finish reason.
    """
    whole = answer_raw(Raw(embed(body, surface)))
    if fault is None:
        return whole
    if fault.error is not None or fault.raw is not None:
        return answer_reply(fault, build_context({"model": body.get("model")}, surface, 0))
    if fault.ending != "whole":
        data = dump(embed(body, surface)).encode()
        return Answer(200, whole.headers, (data[: len(data) // 2], Break()))
    if fault.name != "slow":
        raise TypeError(
            f"Fault.{fault.name}() applies only to chat replies, and this request is for embeddings. Use a separate "
            "FakeGemini for embeddings, or set their faults with `embedding_rule`."
        )
    return Answer(200, whole.headers, (*whole.steps, Pause(fault.between)), fault.first_byte)


def embed(body: JsonObject, surface: Surface) -> JsonObject:
    """Return the reply to an embedding request. On AI Studio, it has no `usage`, and its first item has no `index`.

    Source: https://github.com/samfoy/pi-session-search/issues/13
    """
    texts, length = _texts(body), _dimensions(body)
    data: list[JsonValue] = []
    for place, text in enumerate(texts):
        item: JsonObject = {"object": "embedding", "embedding": [*_vector(as_text(text), length)]}
        if place or surface != "ai_studio":
            item["index"] = place
        data.append(item)
    reply: JsonObject = {"object": "list", "data": data, "model": body.get("model")}
    if surface != "ai_studio":
        tokens = sum(len(as_text(text)) for text in texts) // 4 + 1
        reply["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return reply


def _texts(body: JsonObject) -> Sequence[JsonValue]:
    given = body.get("input")
    return [given] if isinstance(given, str) else as_list(given)


def _dimensions(body: JsonObject) -> int:
    asked = body.get("dimensions")
    if isinstance(asked, bool) or not isinstance(asked, int):
        return _MAX_DIMENSIONS
    return asked if 0 < asked <= _MAX_DIMENSIONS else _MAX_DIMENSIONS


def _vector(text: str, length: int) -> list[float]:
    """Return a vector of length 1. Each word and n-gram adds its weight at the index that its hash selects."""
    words = Counter(word for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS)
    sums = [0.0] * length
    for word, count in (words or {text: 1}).items():
        # The logarithm is used, because a word that occurs ten times is not ten times as important.
        weight = 1.0 + log(count)
        for feature, share in _features(word):
            place = _hash(feature)
            # One bit of the hash decides the sign. So the weights of different features with the same index cancel out
            # on average.
            sums[(place >> 1) % length] += weight * share * (1.0 if place & 1 else -1.0)
    norm = sqrt(sum(value * value for value in sums))
    return [value / norm for value in sums] if norm else [1.0, *sums[1:]]


def _features(word: str) -> Iterator[tuple[str, float]]:
    """Yield the features of a word and their weights: the word, its prefix and its n-grams."""
    yield word, _WORD_WEIGHT
    yield f"{word[:_PREFIX_LENGTH]}…", _PREFIX_WEIGHT
    framed = f"<{word}>"
    ngrams = [framed[start : start + _NGRAM_LENGTH] for start in range(max(1, len(framed) - _NGRAM_LENGTH + 1))]
    for ngram in ngrams:
        yield f"…{ngram}…", _NGRAM_WEIGHT / sqrt(len(ngrams))


@lru_cache(maxsize=100_000)
def _hash(feature: str) -> int:
    return int.from_bytes(blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")

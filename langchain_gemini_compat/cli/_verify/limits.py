"""Probes of errors that are provoked on purpose, of the prompt cache, and of embeddings."""

from __future__ import annotations

import json
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from langchain_gemini_compat._wire.json_types import list_at, object_at, text_at
from langchain_gemini_compat.cli._verify.checks import expect_answer, expect_refusal, observe_refusal, say
from langchain_gemini_compat.cli._verify.probe import REFUSED, Observation, Probe, Spend
from langchain_gemini_compat.cli._verify.sources import STUDIO, UNTRIED, VERTEX_OVERVIEW, observed

if TYPE_CHECKING:
    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue
    from langchain_gemini_compat.cli._verify.lab import Lab

UNKNOWN_MODEL = "gemini-3.8-flash-of-verify"
_EMBEDDING = "gemini-embedding-001"
_MOST_TEXTS = 100
#: The endpoint that answers the requests of a batch.
_ENDPOINT = "/v1/chat/completions"
_SHORT = 256
_KEY = {
    "vertex": observed("https://github.com/SillyTavern/SillyTavern/issues/4223"),
    "ai_studio": observed("public capture of 'Please pass a valid API key', August 2026"),
}
_LIST_OF_ERRORS = observed("https://github.com/openai/openai-agents-python/issues/2137")
#: A prompt of about 5,000 tokens for the test of the prompt cache. Google caches only beginnings of about 2,000 tokens
#: or more.
_LONG_PROMPT = "Read this list, and reply with the single word: ok.\n" + "\n".join(
    f"Line {number} of the list says nothing of interest." for number in range(420)
)


def is_gemini(family: ModelFamily) -> bool:
    """Return whether the models of the family are Gemini models."""
    return family.is_gemini


def _check_wrong_key(lab: Lab) -> Observation:
    reply = lab.send_with_wrong_key(lab.body("A wrong key."))
    if lab.is_vertex:
        return observe_refusal(reply, status=401)
    return observe_refusal(reply, "valid API key")


def _check_unknown_model(lab: Lab) -> Observation:
    name = f"google/{UNKNOWN_MODEL}" if lab.is_vertex else UNKNOWN_MODEL
    return expect_refusal(lab, {**lab.body(), "model": name}, "not found", status=404)


def _check_error_in_list(lab: Lab) -> Observation:
    reply = lab.send(lab.body(n=2))
    kind = f"{type(reply.body).__name__} of {len(reply.body)}" if isinstance(reply.body, list) else "no list"
    holds = isinstance(reply.body, list) and len(reply.body) == 1 and bool(reply.error)
    return Observation(holds, kind if not reply.ok else reply.describe())


def _check_cache(lab: Lab) -> Observation:
    counts: list[JsonValue] = []
    for _ in range(3):
        reply = lab.send(lab.body(_LONG_PROMPT))
        counts.append(object_at(reply.usage, "prompt_tokens_details").get("cached_tokens"))
        if counts[-1]:
            break
    return Observation(bool(counts[-1]), f"cached tokens: {say(counts)}")


def _check_unknown_cache(lab: Lab) -> Observation:
    reply = lab.send(lab.google(cached_content="cachedContents/none-of-verify"), verdicts=(HTTPStatus.FORBIDDEN,))
    return Observation(not reply.ok, reply.describe())


def _check_code_execution(lab: Lab) -> Observation:
    return expect_answer(lab, lab.google(tools=[{"code_execution": {}}]))


def _embed(lab: Lab, *texts: str, **keys: JsonValue) -> JsonObject:
    return {"model": lab.model, "input": [*texts], **keys}


def _check_embeddings(lab: Lab, length: int | None) -> Observation:
    keys: JsonObject = {} if length is None else {"dimensions": length}
    reply = lab.send(_embed(lab, "A cat.", "A dog.", **keys), "/embeddings")
    items = list_at(reply.body, "data") if isinstance(reply.body, dict) else []
    lengths = [len(list_at(item, "embedding")) for item in items if isinstance(item, dict)]
    same = len(lengths) == len(items) > 1 and len({*lengths}) == 1
    return Observation(same and lengths[0] == (length or lengths[0]), reply.describe(f"lengths {say(lengths)}"))


def _check_refused_texts(lab: Lab, texts: tuple[str, ...]) -> Observation:
    reply = lab.send(_embed(lab, *texts), "/embeddings")
    return observe_refusal(reply)


def _check_batch(lab: Lab) -> Observation:
    """Create a batch with one request. Its answer is not awaited, because a batch may take a day."""
    line: JsonObject = {"custom_id": "0", "method": "POST", "url": _ENDPOINT, "body": lab.body()}
    uploaded = lab.upload(json.dumps(line).encode() + b"\n")
    file = text_at(object_at(uploaded.body, "file"), "name") if isinstance(uploaded.body, dict) else ""
    if not file:
        return Observation(holds=False, seen=uploaded.describe("an upload without the name of a file"))
    created = lab.send({"input_file_id": file, "endpoint": _ENDPOINT, "completion_window": "24h"}, "/batches")
    answer = created.body if isinstance(created.body, dict) else {}
    name, status = text_at(answer, "id"), text_at(answer, "status")
    return Observation(created.ok and bool(name and status), created.describe(f"id {name!r}, status {status!r}"))


PROBES = (
    Probe(
        "wrong-key",
        "The error for a wrong key is a 400 on AI Studio, and a 401 on Vertex AI.",
        "the error",
        "_transport/error_rules.py",
        {"vertex": _KEY["vertex"], "ai_studio": _KEY["ai_studio"]},
        _check_wrong_key,
        spend=REFUSED,
        fits=is_gemini,
    ),
    Probe(
        "unknown-model",
        "The error for an unknown model is a 404.",
        "404 with 'not found'",
        "_transport/error_rules.py",
        {"vertex": UNTRIED, "ai_studio": observed("public captures of AI Studio")},
        _check_unknown_model,
        spend=REFUSED,
    ),
    Probe(
        "error-in-list",
        "The body of an error is a list with one object.",
        "a list of 1",
        "_transport/error_bodies.py",
        {"vertex": _LIST_OF_ERRORS, "ai_studio": observed("public captures of AI Studio")},
        _check_error_in_list,
        needs=("several-answers",),
        spend=REFUSED,
    ),
    Probe(
        "cached-tokens",
        "If a long prompt is sent again, the token counts of the answer include cached tokens.",
        "cached tokens",
        "_response/usage.py",
        {"vertex": UNTRIED, "ai_studio": observed("public captures of AI Studio, October 2026")},
        _check_cache,
        needs=("usage",),
        spend=Spend(requests=3, input_tokens=5_500),
        fits=is_gemini,
    ),
    Probe(
        "unknown-cache",
        "A `cached_content` that does not exist is refused.",
        "an error",
        "GOOGLE_KEYS in _catalog/surfaces.py",
        {"vertex": UNTRIED, "ai_studio": UNTRIED},
        _check_unknown_cache,
        spend=REFUSED,
        fits=is_gemini,
    ),
    Probe(
        "batch",
        "The server creates a batch from an uploaded file of requests.",
        "the id and the status of a batch",
        "ENDPOINT in bulk/_batch_service.py",
        {"ai_studio": STUDIO},
        _check_batch,
        spend=Spend(requests=3, input_tokens=10, output_tokens=70),
        fits=is_gemini,
        has_cassette=False,
    ),
    Probe(
        "code-execution",
        "Google's own tools are accepted inside `extra_body.google`.",
        "an answer",
        "GOOGLE_KEYS in _catalog/surfaces.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": UNTRIED},
        _check_code_execution,
        fits=is_gemini,
    ),
    Probe(
        "embeddings",
        "Two texts get two vectors of the same length.",
        "two equal lengths",
        "_request/embeddings.py",
        {"ai_studio": STUDIO},
        partial(_check_embeddings, length=None),
        needs=(),
        spend=Spend(input_tokens=10, output_tokens=0),
        model=_EMBEDDING,
    ),
    Probe(
        "embeddings-of-length",
        "`dimensions` sets the length of vectors.",
        "two vectors of length 256",
        "_request/embeddings.py",
        {"ai_studio": STUDIO},
        partial(_check_embeddings, length=_SHORT),
        needs=("embeddings",),
        spend=Spend(input_tokens=10, output_tokens=0),
        model=_EMBEDDING,
    ),
    Probe(
        "many-texts",
        "More than 100 texts in one request for embeddings are refused.",
        "400",
        "MOST_TEXTS in _request/embeddings.py",
        {"ai_studio": observed("https://github.com/geldata/gel/issues/9032")},
        partial(_check_refused_texts, texts=tuple("a" for _ in range(_MOST_TEXTS + 1))),
        needs=("embeddings",),
        spend=REFUSED,
        model=_EMBEDDING,
    ),
    Probe(
        "empty-text-to-embed",
        "An empty text in a request for embeddings is refused.",
        "400",
        "`takes_empty_texts` in _catalog/surfaces.py",
        {"ai_studio": observed("https://github.com/lingfengQAQ/webnovel-writer/issues/49")},
        partial(_check_refused_texts, texts=("a", "")),
        needs=("embeddings",),
        spend=REFUSED,
        model=_EMBEDDING,
    ),
)

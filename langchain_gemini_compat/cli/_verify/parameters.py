"""Probes of the keys of a request body: which keys a surface accepts, ignores or refuses, and where it reads them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from langchain_gemini_compat.cli._verify.checks import expect, expect_answer, expect_refusal, say
from langchain_gemini_compat.cli._verify.lab import WORD
from langchain_gemini_compat.cli._verify.probe import REFUSED, Observation, Probe, Source, Spend
from langchain_gemini_compat.cli._verify.sources import STUDIO, UNTRIED, VERTEX_OVERVIEW, observed

if TYPE_CHECKING:
    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._wire.json_types import JsonValue
    from langchain_gemini_compat.cli._verify.lab import Lab

_KEYS = "BODY_KEYS in _catalog/surfaces.py"
_GOOGLE_KEYS = "GOOGLE_KEYS in _catalog/surfaces.py"
_UNKNOWN_NAME = observed("https://github.com/MinLL/SkyrimNet-GamePlugin/issues/77")
_TOP_LEVEL = observed("https://github.com/Alishahryar1/free-claude-code/issues/542")


def _is_gemini(family: ModelFamily) -> bool:
    return family.is_gemini


def _check_taken(lab: Lab, **keys: JsonValue) -> Observation:
    return expect_answer(lab, lab.body(**keys))


def _check_google_key(lab: Lab, **keys: JsonValue) -> Observation:
    return expect_answer(lab, lab.google(**keys))


def _check_vertex_only(lab: Lab, key: str, value: JsonValue) -> Observation:
    """Send a request with `key`. Vertex AI should accept or ignore the key, and AI Studio should refuse it."""
    return expect(lab, lab.body(**{key: value}), key, accepted=lab.is_vertex)


def _check_penalty(lab: Lab) -> Observation:
    taken = lab.is_vertex and lab.family.takes_penalties
    return expect(lab, lab.body(frequency_penalty=0.5), "penalty", accepted=taken)


def _check_priority(lab: Lab) -> Observation:
    metadata = lab.chat.invoke(WORD, service_tier="priority").response_metadata
    kind = metadata.get("traffic_type")
    return Observation("PRIORITY" in str(kind), say(kind))


def _check_google_at_top(lab: Lab) -> Observation:
    return expect_refusal(lab, lab.body(google={"thinking_config": {"include_thoughts": True}}), "google")


def _check_extra_body_twice(lab: Lab) -> Observation:
    return expect_refusal(lab, lab.body(extra_body={"extra_body": {"google": {}}}), "extra_body")


def _check_name_of_model(lab: Lab) -> Observation:
    bare = lab.model.rpartition("/")[2]
    body = lab.body()
    return expect(lab, {**body, "model": bare if lab.is_vertex else f"models/{bare}"}, accepted=not lab.is_vertex)


PROBES = (
    Probe(
        "sampling",
        "`temperature`, `top_p`, `max_tokens` and `stop` are accepted.",
        "an answer",
        _KEYS,
        {"vertex": VERTEX_OVERVIEW, "ai_studio": STUDIO},
        partial(_check_taken, temperature=0.5, top_p=0.9, max_tokens=2000, stop=["END"]),
    ),
    Probe(
        "unknown-key",
        "AI Studio refuses an unknown key. Vertex AI ignores it.",
        "an answer on Vertex AI, a 400 that names the key on AI Studio",
        _KEYS,
        {"vertex": VERTEX_OVERVIEW, "ai_studio": _UNKNOWN_NAME},
        partial(_check_vertex_only, key="store", value=False),
    ),
    Probe(
        "seed",
        "Vertex AI accepts `seed`. AI Studio refuses it.",
        "an answer on Vertex AI, a 400 that names the key on AI Studio",
        _KEYS,
        {"vertex": VERTEX_OVERVIEW, "ai_studio": observed("https://github.com/Vali-98/ChatterUI/issues/227")},
        partial(_check_vertex_only, key="seed", value=7),
    ),
    Probe(
        "logprobs",
        "Vertex AI ignores `logprobs`. AI Studio refuses it.",
        "an answer on Vertex AI, a 400 that names the key on AI Studio",
        _KEYS,
        {"vertex": VERTEX_OVERVIEW, "ai_studio": UNTRIED},
        partial(_check_vertex_only, key="logprobs", value=True),
    ),
    Probe(
        "penalties",
        "AI Studio refuses penalties. Vertex AI accepts them for some models.",
        "an answer, or 400 with 'penalty'",
        "`takes_penalties` of the family in _catalog",
        {
            "vertex": observed("https://github.com/Ikalus1988/MisakaNet/issues/1473"),
            "ai_studio": observed("https://github.com/PublicAffairs/openai-gemini/issues/63"),
        },
        _check_penalty,
        fits=_is_gemini,
    ),
    Probe(
        "several-answers",
        "A request for more than one answer (`n` above 1) is refused.",
        "400",
        "`n` in _request/build.py",
        {
            "vertex": observed("public report of 'candidateCount must be 1'"),
            "ai_studio": observed("public reports of 'Only one candidate can be specified'"),
        },
        lambda lab: expect_refusal(lab, lab.body(n=2), "candidate"),
        spend=REFUSED,
    ),
    Probe(
        "parallel-tool-calls-key",
        "`parallel_tool_calls` is accepted or ignored.",
        "an answer",
        _KEYS,
        {
            "vertex": VERTEX_OVERVIEW,
            "ai_studio": observed("https://github.com/jackmpcollins/magentic/pull/382"),
        },
        partial(_check_taken, parallel_tool_calls=False),
    ),
    Probe(
        "service-tier",
        "AI Studio accepts `service_tier`.",
        "an answer",
        _KEYS,
        {"ai_studio": STUDIO},
        partial(_check_taken, service_tier="standard"),
    ),
    Probe(
        "priority-tier",
        "Vertex AI accepts the tier `priority` in a header.",
        "a type of traffic with PRIORITY",
        "TIER_HEADER in _catalog/surfaces.py",
        {"vertex": Source("documented", "https://docs.cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo")},
        _check_priority,
        needs=("traffic-type",),
    ),
    Probe(
        "modalities",
        "`modalities` is accepted.",
        "an answer",
        _KEYS,
        {"vertex": VERTEX_OVERVIEW},
        partial(_check_taken, modalities=["text"]),
    ),
    Probe(
        "json-object",
        "`response_format` of type `json_object` is accepted.",
        "an answer",
        "_model/structured_output.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": observed("public code")},
        partial(_check_taken, content="Write a JSON object.", response_format={"type": "json_object"}),
    ),
    Probe(
        "google-at-top",
        "Google's own keys are accepted only inside `extra_body`.",
        "400 with the key",
        "_request/build.py",
        {"ai_studio": _TOP_LEVEL},
        _check_google_at_top,
        spend=REFUSED,
    ),
    Probe(
        "extra-body-twice",
        "`extra_body` inside `extra_body` is refused.",
        "400 with the key",
        "_request/build.py",
        {"ai_studio": _UNKNOWN_NAME},
        _check_extra_body_twice,
        spend=REFUSED,
    ),
    Probe(
        "safety-settings",
        "`safety_settings` inside `extra_body.google` is accepted.",
        "an answer",
        _GOOGLE_KEYS,
        {"vertex": VERTEX_OVERVIEW, "ai_studio": UNTRIED},
        partial(
            _check_google_key,
            safety_settings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}],
        ),
    ),
    Probe(
        "media-resolution",
        "`media_resolution` inside `extra_body.google` is accepted.",
        "an answer",
        _GOOGLE_KEYS,
        {"vertex": VERTEX_OVERVIEW},
        partial(_check_google_key, media_resolution="MEDIA_RESOLUTION_LOW"),
    ),
    Probe(
        "name-of-model",
        "AI Studio accepts `models/` before the name. Vertex AI refuses a name without `google/`.",
        "400 on Vertex AI, an answer on AI Studio",
        "`_spell_model` in _catalog/surfaces.py",
        {
            "vertex": observed("public capture of 'Malformed publisher model', September 2026"),
            "ai_studio": observed("public capture of `models/gemini-3.1-flash-lite`"),
        },
        _check_name_of_model,
        spend=Spend(output_tokens=300),
    ),
)

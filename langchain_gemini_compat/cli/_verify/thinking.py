"""Probes of thoughts, and of the options that set how much a model thinks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from langchain_gemini_compat._wire.json_types import text_at
from langchain_gemini_compat.cli._verify.checks import expect, expect_refusal, google_of, say
from langchain_gemini_compat.cli._verify.probe import REFUSED, Observation, Probe, Spend
from langchain_gemini_compat.cli._verify.sources import STUDIO, THINKING, UNTRIED, VERTEX_OVERVIEW, observed
from langchain_gemini_compat.cli._verify.text import THINK, read_stream, thinks

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._wire.json_types import JsonObject
    from langchain_gemini_compat.cli._verify.lab import Lab

_LEVELS = "`levels` of the family in _catalog"
_CAPTURE = observed("public captures of AI Studio with `include_thoughts`")
_MINIMAL = observed("https://github.com/BerriAI/litellm/issues/37314")
_NO_NONE = observed("public captures of the 400 that lists the values, 2026")
_BUDGET = observed("notes of pydantic-ai 2.68 on live requests, October 2026")
_LONG = Spend(output_tokens=800)


def takes_levels(family: ModelFamily) -> bool:
    """Return whether the models of the family have thinking levels."""
    return family.is_gemini and family.thinking == "level"


def _has_known_levels(family: ModelFamily) -> bool:
    return takes_levels(family) and family.known


def _has_known_budget_of_0(family: ModelFamily) -> bool:
    """Return whether Google's pages say what a thinking budget of 0 does to this model, on both of its surfaces."""
    return family.name in ("gemini-3.1-pro", "gemini-3.5-flash")


def _check_thoughts(lab: Lab) -> Observation:
    return _observe_thoughts(lab.chat.model_copy(update={"include_thoughts": True}).invoke(THINK))


def _check_streamed_thoughts(lab: Lab) -> Observation:
    return _observe_thoughts(read_stream(lab.chat.model_copy(update={"include_thoughts": True}), THINK))


def _observe_thoughts(message: AIMessage) -> Observation:
    thoughts = str(message.additional_kwargs.get("reasoning_content") or "")
    holds = bool(thoughts and message.text) and "thought>" not in message.text
    return Observation(holds, f"thoughts: {say(thoughts[:30])}; answer: {say(message.text[:30])}")


def _thinking(lab: Lab, **keys: str) -> JsonObject:
    return {**lab.body(THINK), "extra_body": {"google": {"thinking_config": {"include_thoughts": True}, **keys}}}


def _check_flag(lab: Lab) -> Observation:
    reply = lab.stream(_thinking(lab, **({"thought_tag_marker": "think"} if lab.is_vertex else {})))
    flagged = [delta for delta in reply.deltas if google_of(delta).get("thought") is True]
    plain = [delta for delta in reply.deltas if text_at(delta, "content") and delta not in flagged]
    seen = f"{len(flagged)} flagged deltas, {len(plain)} others with text"
    return Observation(bool(flagged and plain), reply.describe(seen))


def _check_tag(lab: Lab, tag: str, **keys: str) -> Observation:
    reply = lab.send(_thinking(lab, **keys))
    text = text_at(reply.message, "content")
    holds = text.startswith(f"<{tag}>") and f"</{tag}>" in text if tag else bool(text) and not text.startswith("<")
    return Observation(holds, reply.describe(say(text[:40])))


def _check_effort(lab: Lab, effort: str) -> Observation:
    return expect(lab, lab.body(reasoning_effort=effort), accepted=effort in lab.family.levels)


def _check_level(lab: Lab, level: str) -> Observation:
    body = lab.google(thinking_config={"thinking_level": level})
    return expect(lab, body, accepted=level in lab.family.levels)


def _check_no_effort(lab: Lab) -> Observation:
    accepted = not lab.is_vertex and lab.family.may_stop_thinking
    return expect(lab, lab.body(reasoning_effort="none"), accepted=accepted)


def _check_no_budget(lab: Lab) -> Observation:
    accepted = lab.is_vertex or lab.family.may_stop_thinking
    return expect(lab, lab.google(thinking_config={"thinking_budget": 0}), accepted=accepted)


def _check_both(lab: Lab) -> Observation:
    body = lab.google(thinking_config={"thinking_level": "high"})
    return expect_refusal(lab, {**body, "reasoning_effort": "high"})


def _check_level_and_budget(lab: Lab) -> Observation:
    return expect_refusal(lab, lab.google(thinking_config={"thinking_level": "high", "thinking_budget": 1024}))


PROBES = (
    Probe(
        "thought-flag",
        "In a stream, thoughts have the flag `extra_content.google.thought`, and the answer does not.",
        "deltas with the flag, and text without it",
        "_response/thoughts.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": _CAPTURE},
        _check_flag,
        needs=("stream",),
        spend=_LONG,
        fits=thinks,
    ),
    Probe(
        "thought-tag",
        "Thoughts are between the tags `<thought>` and `</thought>`.",
        "<thought>…</thought>",
        "DEFAULT_TAGS in _wire/json_types.py",
        {"ai_studio": _CAPTURE},
        partial(_check_tag, tag="thought"),
        spend=_LONG,
        fits=thinks,
    ),
    Probe(
        "thought-tag-marker",
        "`thought_tag_marker` names the tags around thoughts.",
        "<think>…</think>",
        "`thought_tag_marker` in _request/thinking.py",
        {"vertex": VERTEX_OVERVIEW},
        partial(_check_tag, tag="think", thought_tag_marker="think"),
        spend=_LONG,
        fits=thinks,
    ),
    Probe(
        "thoughts-untagged",
        "Without `thought_tag_marker`, thoughts have no tags.",
        "a text without tags",
        "`thought_tag_marker` in _request/thinking.py",
        {"vertex": VERTEX_OVERVIEW},
        partial(_check_tag, tag=""),
        spend=_LONG,
        fits=thinks,
    ),
    Probe(
        "thoughts",
        "With `include_thoughts`, an answer that is not streamed has thoughts that are separate from its text.",
        "thoughts and an answer without tags",
        "_response/thoughts.py",
        {"vertex": UNTRIED, "ai_studio": _CAPTURE},
        _check_thoughts,
        needs=("thought-tag", "thought-tag-marker"),
        spend=_LONG,
        fits=thinks,
    ),
    Probe(
        "thoughts-of-stream",
        "With `include_thoughts`, a stream has thoughts that are separate from its text.",
        "thoughts and an answer without tags",
        "_response/thoughts.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": _CAPTURE},
        _check_streamed_thoughts,
        needs=("stream", "thought-flag"),
        spend=_LONG,
        fits=thinks,
    ),
    *(
        Probe(
            f"effort-{effort}",
            f"`reasoning_effort` `{effort}` is accepted only by models with that level.",
            "an answer, or 400",
            _LEVELS,
            {"vertex": _MINIMAL if effort == "minimal" else VERTEX_OVERVIEW, "ai_studio": STUDIO},
            partial(_check_effort, effort=effort),
            fits=_has_known_levels,
        )
        for effort in ("minimal", "low", "medium", "high")
    ),
    *(
        Probe(
            f"level-{level}",
            f"`thinking_level` `{level}` is accepted only by models with that level.",
            "an answer, or 400",
            _LEVELS,
            {"vertex": VERTEX_OVERVIEW, "ai_studio": STUDIO},
            partial(_check_level, level=level),
            fits=_has_known_levels,
        )
        for level in ("minimal", "low", "medium", "high", "xhigh")
    ),
    Probe(
        "effort-none",
        "AI Studio accepts `reasoning_effort` `none` only for models that can stop thinking.",
        "an answer, or 400",
        "`may_stop_thinking` of the family in _catalog",
        {"vertex": _NO_NONE, "ai_studio": STUDIO},
        _check_no_effort,
        fits=thinks,
    ),
    Probe(
        "budget-of-0",
        "Vertex AI accepts a thinking budget of 0. AI Studio refuses it for models that always think.",
        "an answer, or 400",
        "`may_stop_thinking` in _catalog/surfaces.py",
        {"vertex": _BUDGET, "ai_studio": _BUDGET},
        _check_no_budget,
        fits=_has_known_budget_of_0,
    ),
    Probe(
        "effort-and-level",
        "`reasoning_effort` and `thinking_level` together are refused.",
        "400",
        "_request/thinking.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": STUDIO},
        _check_both,
        needs=("effort-high", "level-high"),
        spend=REFUSED,
        fits=takes_levels,
    ),
    Probe(
        "level-and-budget",
        "`thinking_level` and `thinking_budget` together are refused.",
        "400",
        "_request/thinking.py",
        {"vertex": THINKING, "ai_studio": THINKING},
        _check_level_and_budget,
        needs=("level-high",),
        spend=REFUSED,
        fits=takes_levels,
    ),
)

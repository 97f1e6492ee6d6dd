"""Probes of the message history: tool results, the order of messages, and messages with both text and tool calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat.cli._verify.checks import expect, expect_answer, expect_refusal
from langchain_gemini_compat.cli._verify.media import PNG, encode
from langchain_gemini_compat.cli._verify.probe import REFUSED, Observation, Probe, Spend
from langchain_gemini_compat.cli._verify.signatures import (
    PLACEHOLDER,
    answered,
    own_call,
    result_of,
    with_tools,
)
from langchain_gemini_compat.cli._verify.sources import UNTRIED, VERTEX_EXAMPLES, VERTEX_OVERVIEW, observed
from langchain_gemini_compat.cli._verify.tool_calls import CALL

if TYPE_CHECKING:
    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue
    from langchain_gemini_compat.cli._verify.lab import Lab

_NAME = observed("https://github.com/openclaw/openclaw/issues/47857")
_COUNT = observed("https://github.com/microsoft/vscode/issues/299295")
_PREFILL = observed("https://github.com/envoyproxy/ai-gateway/pull/2686")
_EMPTY = observed("https://github.com/Portkey-AI/gateway/issues/462")
_BESIDE = observed("https://github.com/NousResearch/hermes-agent/issues/69231")
_REFERENCE = observed("https://github.com/BerriAI/litellm/issues/38223")
_CASE = Spend(input_tokens=250, output_tokens=300)


def _reads_media_in_results(family: ModelFamily) -> bool:
    return family.is_gemini and family.takes_media_in_results


def _call(lab: Lab) -> JsonObject:
    """Return an invented tool call. It has the placeholder signature if the model demands a signature."""
    return own_call(PLACEHOLDER if lab.family.signatures_demanded else "")


def _send_history(lab: Lab, call: JsonObject, *results: JsonObject) -> JsonObject:
    history = answered(CALL, [call])
    return with_tools(lab, [*history[:2], *results])


def _check_name(lab: Lab) -> Observation:
    call = _call(lab)
    result = {key: value for key, value in result_of(call).items() if key != "name"}
    return expect(lab, _send_history(lab, call, result), "name", accepted=lab.is_vertex)


def _check_missing_result(lab: Lab) -> Observation:
    history = answered(CALL, [_call(lab), own_call(call_id="call_2")])
    return expect_refusal(lab, with_tools(lab, history[:-1]), "function response parts")


def _check_empty_arguments(lab: Lab) -> Observation:
    call = _call(lab)
    call["function"] = {"name": "get_temperature", "arguments": ""}
    return expect_refusal(lab, _send_history(lab, call, result_of(call)), "JSON object")


def _check_text_beside_calls(lab: Lab) -> Observation:
    call = _call(lab)
    asked: JsonObject = {"role": "user", "content": CALL}
    message: JsonObject = {"role": "assistant", "content": "I call the tool.", "tool_calls": [call]}
    return expect(lab, with_tools(lab, [asked, message, result_of(call)]), accepted=lab.family.text_beside_calls)


def _check_prefill(lab: Lab) -> Observation:
    begun: JsonObject = {"role": "assistant", "content": "The word is"}
    return expect_refusal(lab, {**lab.body(), "messages": [{"role": "user", "content": "Hello"}, begun]}, "model turn")


def _check_empty_content(lab: Lab) -> Observation:
    return expect_refusal(lab, lab.body(""))


def _check_flag(lab: Lab, *, on_part: bool) -> Observation:
    extra: JsonObject = {"google": {"thought": True}}
    thought: JsonObject = {"role": "assistant", "content": "The user wants one word.", "extra_content": extra}
    if on_part:
        parts: list[JsonValue] = [
            {"type": "text", "text": "The user wants one word.", "extra_content": extra},
            {"type": "text", "text": "ok"},
        ]
        thought = {"role": "assistant", "content": parts}
    asked: JsonObject = {"role": "user", "content": "Say ok."}
    again: JsonObject = {"role": "user", "content": "Say ok once more."}
    return expect_answer(lab, {**lab.body(), "messages": [asked, thought, again]})


def _media_result(lab: Lab, mime_type: str, data: str, reference: str) -> tuple[JsonObject, JsonObject]:
    """Return a tool call, and its result with a file that has the name `map`.

    The JSON text of the result refers to a file by the name `reference`. With another name than `map`, this file is
    missing.
    """
    call = _call(lab)
    part: JsonObject = {"inline_data": {"mime_type": mime_type, "data": data, "display_name": "map"}}
    result = result_of(call, f'{{"map": {{"$ref": "{reference}"}}}}')
    return call, {**result, "extra_content": {"google": {"parts": [part]}}}


def _check_media(lab: Lab) -> Observation:
    return expect_answer(lab, _send_history(lab, *_media_result(lab, "image/png", encode(PNG), "map")))


def _check_media_type(lab: Lab) -> Observation:
    return expect_refusal(lab, _send_history(lab, *_media_result(lab, "audio/wav", encode(b"RIFF"), "map")))


def _check_reference(lab: Lab) -> Observation:
    call = _call(lab)
    result = result_of(call, '{"map": {"$ref": "elsewhere"}}')
    return expect_refusal(lab, _send_history(lab, call, result), "display_name")


PROBES = (
    Probe(
        "name-of-result",
        "AI Studio refuses a tool result without `name`. Vertex AI accepts it.",
        "an answer on Vertex AI, a 400 that names 'name' on AI Studio",
        "_request/tool_results.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": _NAME},
        _check_name,
        needs=("text", "signature-placeholder"),
        spend=_CASE,
    ),
    Probe(
        "missing-result",
        "A history with two calls and only one result is refused.",
        "400 with 'function response parts'",
        "_request/turn_order.py",
        {"vertex": _COUNT, "ai_studio": _COUNT},
        _check_missing_result,
        needs=("text", "signature-placeholder"),
        spend=REFUSED,
    ),
    Probe(
        "empty-arguments",
        "A call whose arguments are an empty string is refused.",
        "400 with 'JSON object'",
        "_request/assistant_messages.py",
        {"vertex": observed("public report of 'Expected a valid JSON object', August 2026"), "ai_studio": UNTRIED},
        _check_empty_arguments,
        needs=("text", "signature-placeholder"),
        spend=REFUSED,
    ),
    Probe(
        "text-beside-calls",
        "Text beside a tool call in the history is refused for some models.",
        "an answer, or 400",
        "`text_beside_calls` of the family in _catalog",
        {"vertex": _BESIDE},
        _check_text_beside_calls,
        needs=("text", "signature-placeholder"),
        spend=_CASE,
    ),
    Probe(
        "assistant-at-end",
        "A history that ends with a message of the model is refused.",
        "400 with 'model turn'",
        "_request/turn_order.py",
        {"vertex": _PREFILL, "ai_studio": _PREFILL},
        _check_prefill,
        spend=REFUSED,
    ),
    Probe(
        "empty-text",
        "A message with an empty text is refused.",
        "400",
        "_request/messages.py",
        {"vertex": _EMPTY, "ai_studio": _EMPTY},
        _check_empty_content,
        spend=REFUSED,
    ),
    Probe(
        "flag-on-message",
        "The flag `thought` is accepted in `extra_content` of a message.",
        "an answer",
        "_request/assistant_messages.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": UNTRIED},
        lambda lab: _check_flag(lab, on_part=False),
    ),
    Probe(
        "flag-on-part",
        "A content part may have the flag `thought` in its `extra_content`.",
        "an answer",
        "_request/content.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": UNTRIED},
        lambda lab: _check_flag(lab, on_part=True),
    ),
    Probe(
        "media-in-result",
        "An image inside a tool result, in `extra_content.google.parts`, is accepted.",
        "an answer",
        "_request/tool_results.py",
        {"vertex": VERTEX_OVERVIEW},
        _check_media,
        needs=("text", "signature-placeholder"),
        spend=Spend(input_tokens=600),
        fits=_reads_media_in_results,
    ),
    Probe(
        "type-of-media-in-result",
        "Audio inside a tool result is refused.",
        "400",
        "_request/tool_results.py",
        {"vertex": UNTRIED},
        _check_media_type,
        needs=("media-in-result",),
        spend=REFUSED,
        fits=_reads_media_in_results,
    ),
    Probe(
        "reference-in-result",
        "A tool result is refused if it has a `$ref` to media that are not in the result.",
        "400 with 'display_name'",
        "_request/tool_result_texts.py",
        {"vertex": _REFERENCE, "ai_studio": _REFERENCE},
        _check_reference,
        needs=("text", "signature-placeholder"),
        spend=REFUSED,
        fits=_reads_media_in_results,
    ),
)

"""Probes of thought signatures: where the server sends them, and where the client has to send them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat._wire.json_types import object_at, text_at
from langchain_gemini_compat.cli._verify.checks import (
    expect_answer,
    expect_refusal,
    observe_refusal,
    say,
    signature_of,
)
from langchain_gemini_compat.cli._verify.lab import WORD
from langchain_gemini_compat.cli._verify.probe import REFUSED, Observation, Probe, Spend
from langchain_gemini_compat.cli._verify.sources import SIGNATURES, VERTEX_EXAMPLES, observed
from langchain_gemini_compat.cli._verify.tool_calls import CALL, CALLS, TOOLS, call_reply, calls_reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue
    from langchain_gemini_compat.cli._verify.lab import Lab

PLACEHOLDER = "skip_thought_signature_validator"
_CAPTURE = observed("public captures of AI Studio, 2026")
_LIVE_CHECK = observed("public notes on live requests to Vertex AI")
_AFTER_CALL = Spend(input_tokens=200, output_tokens=300)


def demands_signatures(family: ModelFamily) -> bool:
    """Return whether the models of the family demand thought signatures."""
    return family.is_gemini and family.signatures_demanded


def answered(prompt: str, calls: Sequence[JsonObject]) -> list[JsonValue]:
    """Return a history: a prompt, the calls of the model, and their results."""
    asked: JsonObject = {"role": "user", "content": prompt}
    message: JsonObject = {"role": "assistant", "content": None, "tool_calls": [*calls]}
    results: list[JsonValue] = [result_of(call) for call in calls]
    return [asked, message, *results]


def result_of(call: JsonObject, content: str = '{"celsius": 7}') -> JsonObject:
    """Return the message with the result of `call`."""
    name = text_at(object_at(call, "function"), "name")
    return {"role": "tool", "tool_call_id": text_at(call, "id"), "name": name, "content": content}


def with_tools(lab: Lab, messages: list[JsonValue]) -> JsonObject:
    """Return a request with `messages` and the tool of the probes."""
    return {"model": lab.model, "messages": messages, "tools": TOOLS}


def own_call(signature: str = "", call_id: str = "call_1") -> JsonObject:
    """Return an invented tool call."""
    function: JsonObject = {"name": "get_temperature", "arguments": '{"city": "Oslo"}'}
    call: JsonObject = {"id": call_id, "type": "function", "function": function}
    return {**call, "extra_content": {"google": {"thought_signature": signature}}} if signature else call


def unsigned(call: JsonObject) -> JsonObject:
    """Return `call` without its signature."""
    return {key: value for key, value in call.items() if key != "extra_content"}


def _check_signed_call(lab: Lab) -> Observation:
    reply = call_reply(lab)
    signatures = [say(signature_of(call)[:12]) for call in reply.calls]
    holds = len(reply.calls) == 1 and bool(signature_of(reply.calls[0]))
    return Observation(holds, reply.describe(f"signatures: {say(signatures)}"))


def _check_parallel(lab: Lab) -> Observation:
    reply = calls_reply(lab)
    signed = [bool(signature_of(call)) for call in reply.calls]
    seen = reply.describe(f"signed: {say(signed)}")
    return Observation(len(signed) > 1 and signed == [True, *[False] * (len(signed) - 1)], seen)


def _check_stream(lab: Lab) -> Observation:
    reply = lab.stream(lab.body(CALL, tools=TOOLS, tool_choice="required"))
    signatures = {signature_of(call) for call in reply.streamed_calls} - {""}
    return Observation(len(signatures) == 1, reply.describe(f"{len(signatures)} signatures"))


def _check_text(lab: Lab) -> Observation:
    reply = lab.send(lab.body())
    seen = reply.describe(f"signature {say(signature_of(reply.message)[:12])}")
    return Observation(bool(signature_of(reply.message)), seen)


def _check_streamed_text(lab: Lab) -> Observation:
    reply = lab.stream(lab.body())
    places = [place for place, delta in enumerate(reply.deltas) if signature_of(delta)]
    seen = reply.describe(f"signature in delta {say(places)} of {len(reply.deltas)}")
    return Observation(bool(places) and places[-1] == len(reply.deltas) - 1, seen)


def _check_returned(lab: Lab) -> Observation:
    return expect_answer(lab, with_tools(lab, answered(CALL, call_reply(lab).calls)))


def _check_both_returned(lab: Lab) -> Observation:
    return expect_answer(lab, with_tools(lab, answered(CALLS, calls_reply(lab).calls)))


def _check_missing(lab: Lab) -> Observation:
    return expect_refusal(lab, with_tools(lab, answered(CALL, [own_call()])), "thought_signature")


def _check_changed(lab: Lab) -> Observation:
    return expect_refusal(lab, with_tools(lab, answered(CALL, [own_call("bm90IGEgc2lnbmF0dXJl")])), "signature")


def _check_placeholder(lab: Lab) -> Observation:
    return expect_answer(lab, with_tools(lab, answered(CALL, [own_call(PLACEHOLDER)])))


def _check_earlier_turn(lab: Lab) -> Observation:
    history = answered(CALL, [own_call()])
    later: list[JsonValue] = [{"role": "assistant", "content": "7 degrees."}, {"role": "user", "content": WORD}]
    return expect_answer(lab, with_tools(lab, [*history, *later]))


def _check_text_returned(lab: Lab) -> Observation:
    reply = lab.send_once("text", lab.body())
    if not reply.ok:
        return observe_refusal(reply)
    message: JsonObject = {**reply.message, "role": "assistant"}
    again: JsonObject = {"role": "user", "content": WORD}
    return expect_answer(lab, {**lab.body(), "messages": [{"role": "user", "content": WORD}, message, again]})


PROBES = (
    Probe(
        "signature-of-call",
        "A tool call has a thought signature.",
        "one signature",
        "`signatures_demanded` of the family in _catalog",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": SIGNATURES},
        _check_signed_call,
        needs=("tool-call",),
        spend=_AFTER_CALL,
        fits=demands_signatures,
    ),
    Probe(
        "signature-of-parallel-calls",
        "Only the first of several parallel calls has a signature.",
        "only the first call is signed",
        "_signatures.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": SIGNATURES},
        _check_parallel,
        needs=("parallel-calls",),
        spend=_AFTER_CALL,
        fits=demands_signatures,
    ),
    Probe(
        "signature-of-streamed-call",
        "A streamed tool call has one signature.",
        "one signature",
        "_response/tool_calls.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": _CAPTURE},
        _check_stream,
        needs=("tool-call-of-stream",),
        spend=_AFTER_CALL,
        fits=demands_signatures,
    ),
    Probe(
        "signature-of-text",
        "The message of a text answer has a signature.",
        "a signature on the message",
        "_response/assembler.py",
        {"vertex": _LIVE_CHECK, "ai_studio": _CAPTURE},
        _check_text,
        fits=demands_signatures,
    ),
    Probe(
        "signature-of-streamed-text",
        "The signature of a streamed text is in the last delta.",
        "a signature in the last delta",
        "_response/assembler.py",
        {"vertex": _LIVE_CHECK, "ai_studio": _CAPTURE},
        _check_streamed_text,
        needs=("stream",),
        fits=demands_signatures,
    ),
    Probe(
        "signature-returned",
        "A call with its own signature is accepted in the history.",
        "an answer",
        "_request/assistant_messages.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": SIGNATURES},
        _check_returned,
        needs=("signature-of-call",),
        spend=_AFTER_CALL,
        fits=demands_signatures,
    ),
    Probe(
        "signatures-of-parallel-calls-returned",
        "In the history, parallel calls are accepted even if only the first call has a signature.",
        "an answer",
        "_request/assistant_messages.py",
        {"vertex": _LIVE_CHECK, "ai_studio": SIGNATURES},
        _check_both_returned,
        needs=("signature-of-parallel-calls",),
        spend=_AFTER_CALL,
        fits=demands_signatures,
    ),
    Probe(
        "signature-of-text-returned",
        "A text with its own signature is accepted in the history.",
        "an answer",
        "_request/assistant_messages.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": SIGNATURES},
        _check_text_returned,
        needs=("signature-of-text",),
        spend=Spend(requests=2),
        fits=demands_signatures,
    ),
    Probe(
        "signature-missing",
        "A call of the current turn without its signature is refused.",
        "400 with 'thought_signature'",
        "`signatures_demanded` of the family in _catalog",
        {
            "vertex": observed("https://github.com/openai/openai-agents-python/issues/2137"),
            "ai_studio": observed("https://github.com/manthanabc/paws/issues/103"),
        },
        _check_missing,
        spend=REFUSED,
        fits=demands_signatures,
    ),
    Probe(
        "signature-changed",
        "A signature that the server did not issue is refused.",
        "400 with 'signature'",
        "_signatures.py",
        {"vertex": SIGNATURES, "ai_studio": SIGNATURES},
        _check_changed,
        spend=REFUSED,
        fits=demands_signatures,
    ),
    Probe(
        "signature-placeholder",
        "Google's placeholder is accepted instead of a signature.",
        "an answer",
        "PLACEHOLDER_SIGNATURE in _signatures.py",
        {"vertex": _LIVE_CHECK, "ai_studio": SIGNATURES},
        _check_placeholder,
        spend=_AFTER_CALL,
        fits=demands_signatures,
    ),
    Probe(
        "signature-of-earlier-turn",
        "Calls of an earlier turn need no signature.",
        "an answer",
        "_request/turn_order.py",
        {"vertex": _LIVE_CHECK, "ai_studio": SIGNATURES},
        _check_earlier_turn,
        spend=_AFTER_CALL,
        fits=demands_signatures,
    ),
)

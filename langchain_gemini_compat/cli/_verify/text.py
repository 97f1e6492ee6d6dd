"""Probes of text, streams and token counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.messages.utils import message_chunk_to_message

from langchain_gemini_compat._wire.json_types import object_at, text_at
from langchain_gemini_compat.cli._verify.checks import say
from langchain_gemini_compat.cli._verify.lab import WORD
from langchain_gemini_compat.cli._verify.probe import Observation, Probe, Spend
from langchain_gemini_compat.cli._verify.sources import OPENAI, STUDIO, VERTEX_EXAMPLES, VERTEX_OVERVIEW, observed

if TYPE_CHECKING:
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable

    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._wire.json_types import JsonObject
    from langchain_gemini_compat.cli._verify.lab import Lab

THINK = "Is 391 prime? Answer in one sentence."
_CAPTURE = observed("public captures of AI Studio, October 2026")
_LONG = "Write the numbers from 1 to 200 in words."


def thinks(family: ModelFamily) -> bool:
    """Return whether the models of the family think."""
    return family.is_gemini and family.thinking != "none"


def read_stream(model: Runnable[LanguageModelInput, AIMessage], prompt: LanguageModelInput) -> AIMessage:
    """Stream an answer, and return its chunks as one message."""
    total: AIMessageChunk | None = None
    for chunk in model.stream(prompt):
        if isinstance(chunk, AIMessageChunk):
            total = chunk if total is None else total + chunk
    message = message_chunk_to_message(total) if total else AIMessage("")
    return message if isinstance(message, AIMessage) else AIMessage("")


def _check_text(lab: Lab) -> Observation:
    return _observe_text(lab.chat.invoke(WORD))


def _check_stream(lab: Lab) -> Observation:
    return _observe_text(read_stream(lab.chat, WORD))


def _check_system(lab: Lab) -> Observation:
    messages: list[BaseMessage] = [SystemMessage("You are brief."), HumanMessage(WORD)]
    return _observe_text(lab.chat.invoke(messages))


def _observe_text(message: AIMessage) -> Observation:
    reason = message.response_metadata.get("finish_reason")
    holds = "ok" in message.text.lower() and reason == "stop"
    return Observation(holds, f"{say(message.text)}, finish reason {reason}")


def _check_usage(lab: Lab) -> Observation:
    return _observe_usage(lab.chat.invoke(WORD))


def _check_stream_usage(lab: Lab) -> Observation:
    return _observe_usage(read_stream(lab.chat, WORD))


def _observe_usage(message: AIMessage) -> Observation:
    usage = message.usage_metadata
    if usage is None:
        return Observation(holds=False, seen="no token counts")
    given, written, total = usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]
    return Observation(given > 0 and written > 0 and given + written == total, f"{given} + {written} = {total}")


def _check_thoughts_in_usage(lab: Lab) -> Observation:
    reply = lab.send(lab.body(THINK))
    counts = {name: _count(reply.usage, name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    hidden = counts["total_tokens"] - counts["prompt_tokens"] - counts["completion_tokens"]
    itemised = _count(object_at(reply.usage, "completion_tokens_details"), "reasoning_tokens")
    holds = hidden > 0 and itemised == (hidden if lab.is_vertex else 0)
    return Observation(
        holds, f"{hidden} tokens only in the total, {itemised} itemised" if reply.ok else reply.describe()
    )


def _count(usage: JsonObject, name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) else 0


def _check_traffic_type(lab: Lab) -> Observation:
    reply = lab.send(lab.body())
    kind = text_at(object_at(object_at(reply.usage, "extra_properties"), "google"), "traffic_type")
    return Observation(bool(kind), say(kind))


def _check_max_tokens(lab: Lab) -> Observation:
    reply = lab.send(lab.body(_LONG, max_tokens=8))
    reason = text_at(reply.choice, "finish_reason")
    return Observation(reason == "length", reply.describe(f"finish reason {reason}"))


PROBES = (
    Probe(
        "text",
        "A prompt gets an answer in text.",
        "the word ok, finish reason stop",
        "_response/assembler.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": STUDIO, "openai_compatible": OPENAI},
        _check_text,
        needs=(),
    ),
    Probe(
        "stream",
        "A stream contains the whole answer and a finish reason.",
        "the word ok, finish reason stop",
        "_transport/sse.py and _response/assembler.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": STUDIO, "openai_compatible": OPENAI},
        _check_stream,
    ),
    Probe(
        "system-message",
        "A system message before the prompt is accepted.",
        "the word ok, finish reason stop",
        "_request/messages.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": STUDIO, "openai_compatible": OPENAI},
        _check_system,
    ),
    Probe(
        "usage",
        "An answer that is not streamed has token counts, and input plus output is the total.",
        "input + output = total",
        "_response/usage.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": _CAPTURE, "openai_compatible": OPENAI},
        _check_usage,
    ),
    Probe(
        "usage-of-stream",
        "Streams of Vertex AI always have token counts. On other surfaces, the request must ask for them.",
        "input + output = total",
        "_response/usage.py, and `stream_options` in _request/build.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": STUDIO, "openai_compatible": OPENAI},
        _check_stream_usage,
        needs=("stream",),
    ),
    Probe(
        "usage-of-thoughts",
        "`completion_tokens` does not count thoughts. Vertex AI lists them separately. AI Studio counts them only in "
        "the total.",
        "more tokens in the total, itemised only on Vertex AI",
        "_response/usage.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": _CAPTURE},
        _check_thoughts_in_usage,
        needs=("usage",),
        spend=Spend(output_tokens=800),
        fits=thinks,
    ),
    Probe(
        "traffic-type",
        "`usage` contains the type of traffic (`traffic_type`).",
        "a traffic type such as ON_DEMAND",
        "_response/usage.py",
        {"vertex": VERTEX_EXAMPLES},
        _check_traffic_type,
        needs=("usage",),
    ),
    Probe(
        "max-tokens",
        "`max_tokens` ends an answer with the finish reason `length`.",
        "finish reason length",
        "_response/finish_reasons.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": STUDIO, "openai_compatible": OPENAI},
        _check_max_tokens,
        spend=Spend(output_tokens=8),
    ),
)

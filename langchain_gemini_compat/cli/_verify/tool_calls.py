"""Probes of tool calls in replies: whole, streamed, parallel, and forced by `tool_choice`."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage

from langchain_gemini_compat._wire.json_types import object_at, text_at
from langchain_gemini_compat.cli._verify.checks import ANSWER, expect_refusal, say
from langchain_gemini_compat.cli._verify.lab import WORD
from langchain_gemini_compat.cli._verify.probe import REFUSED, Observation, Probe, Sources, Spend
from langchain_gemini_compat.cli._verify.sources import (
    OPENAI,
    SIGNATURES,
    STUDIO,
    UNTRIED,
    VERTEX_EXAMPLES,
    VERTEX_OVERVIEW,
    observed,
)
from langchain_gemini_compat.cli._verify.text import read_stream

if TYPE_CHECKING:
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue
    from langchain_gemini_compat.cli._verify.lab import Lab, RawReply

TOOL = "get_temperature"
DECLARATION: JsonObject = {
    "name": TOOL,
    "description": "Return the temperature in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Name of the city."}},
        "required": ["city"],
    },
}
TOOLS: JsonValue = [{"type": "function", "function": DECLARATION}]
CALL = "Call get_temperature for Oslo."
CALLS = "Call get_temperature for Oslo and for Rome. Make both calls in one step."
_CALL_SPEND = Spend(input_tokens=120, output_tokens=300)
_CAPTURE = observed("https://github.com/THU-MAIC/OpenMAIC/issues/1556")
_STOP = observed("https://github.com/googleapis/python-genai/issues/2868")
_PARALLEL = observed("https://github.com/noho/dayu-agent/pull/91")


def call_reply(lab: Lab) -> RawReply:
    """Return a reply with one tool call."""
    return lab.send_once("call", lab.body(CALL, tools=TOOLS, tool_choice="required"))


def calls_reply(lab: Lab) -> RawReply:
    """Return a reply with two tool calls."""
    return lab.send_once("calls", lab.body(CALLS, tools=TOOLS, tool_choice="required"))


def _bind(lab: Lab) -> Runnable[LanguageModelInput, AIMessage]:
    return lab.chat.bind_tools([DECLARATION], tool_choice="any")


def _check_call(lab: Lab) -> Observation:
    return _observe_cities(_bind(lab).invoke(CALL), "oslo")


def _check_streamed_call(lab: Lab) -> Observation:
    return _observe_cities(read_stream(_bind(lab), CALL), "oslo")


def _check_parallel(lab: Lab) -> Observation:
    return _observe_cities(_bind(lab).invoke(CALLS), "oslo", "rome")


def _check_streamed_parallel(lab: Lab) -> Observation:
    return _observe_cities(read_stream(_bind(lab), CALLS), "oslo", "rome")


def _observe_cities(message: AIMessage, *cities: str) -> Observation:
    called = sorted(str(call["args"].get("city", "")).lower() for call in message.tool_calls)
    return Observation(called == [*cities], f"calls for {say(', '.join(called))}", f"calls for {', '.join(cities)}")


def _check_loop(lab: Lab) -> Observation:
    model = lab.chat.bind_tools([DECLARATION])
    history: list[BaseMessage] = [HumanMessage(CALL)]
    message = model.invoke(history)
    results = [ToolMessage("7 degrees Celsius", tool_call_id=str(call["id"])) for call in message.tool_calls]
    if not results:
        return Observation(holds=False, seen="no tool call")
    answer = model.invoke([*history, message, *results])
    return Observation("7" in answer.text, say(answer.text))


def _check_choice(lab: Lab, choice: str) -> Observation:
    # `required` forces a call, even if the prompt does not ask for one.
    prompt = WORD if choice == "required" else CALL
    reply = lab.send(lab.body(prompt, tools=TOOLS, tool_choice=choice))
    wanted = 0 if choice == "none" else 1
    seen = reply.describe(f"{len(reply.calls)} calls")
    return Observation(reply.ok and len(reply.calls) == wanted, seen, f"{wanted} calls")


def _check_choice_object(lab: Lab) -> Observation:
    choice: JsonObject = {"type": "function", "function": {"name": TOOL}}
    return expect_refusal(lab, lab.body(CALL, tools=TOOLS, tool_choice=choice))


def _check_end_of_stream(lab: Lab) -> Observation:
    reply = lab.stream(lab.body(CALL, tools=TOOLS, tool_choice="required"))
    wanted = "tool_calls" if lab.is_vertex else "stop"
    seen = reply.describe(f"finish reason {say(', '.join(reply.finish_reasons))}")
    return Observation(reply.finish_reasons == [wanted], seen, f"finish reason {wanted}")


def _check_index(lab: Lab) -> Observation:
    reply = lab.stream(lab.body(CALLS, tools=TOOLS, tool_choice="required"))
    indices = [call.get("index") for call in reply.streamed_calls]
    holds = bool(indices) and all(isinstance(index, int) == lab.is_vertex for index in indices)
    return Observation(holds, reply.describe(f"index {say(indices)}"))


def _check_pieces(lab: Lab) -> Observation:
    model = lab.chat.bind_tools([DECLARATION], tool_choice="any", stream_function_call_arguments=True)
    chunks = [chunk for chunk in model.stream(CALL) if isinstance(chunk, AIMessageChunk)]
    pieces = [piece["args"] for chunk in chunks for piece in chunk.tool_call_chunks if piece["args"]]
    holds = len(pieces) > 1 and _is_object("".join(filter(None, pieces)))
    return Observation(holds, say(" | ".join(filter(None, pieces))))


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _check_no_arguments(lab: Lab) -> Observation:
    body = lab.body("Call now.", tools=[{"type": "function", "function": {"name": "now"}}], tool_choice="required")
    reply = lab.send(body)
    functions = [object_at(call, "function") for call in reply.calls]
    holds = [text_at(function, "name") for function in functions] == ["now"]
    return Observation(holds, reply.describe(say(functions)))


_CHOICES: tuple[tuple[str, Sources], ...] = (
    ("none", {"vertex": VERTEX_OVERVIEW, "ai_studio": UNTRIED}),
    ("auto", {"vertex": VERTEX_OVERVIEW, "ai_studio": STUDIO}),
    ("required", {"vertex": VERTEX_OVERVIEW, "ai_studio": UNTRIED}),
    ("validated", {"vertex": VERTEX_OVERVIEW}),
)
PROBES = (
    Probe(
        "tool-call",
        "An answer has a tool call with arguments that fit the schema.",
        "a call",
        "_response/tool_calls.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": STUDIO, "openai_compatible": OPENAI},
        _check_call,
        spend=_CALL_SPEND,
    ),
    Probe(
        "tool-call-of-stream",
        "A stream has a tool call with complete arguments.",
        "a call",
        "_response/tool_calls.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": _CAPTURE, "openai_compatible": OPENAI},
        _check_streamed_call,
        needs=("stream", "tool-call"),
        spend=_CALL_SPEND,
    ),
    Probe(
        "parallel-calls",
        "An answer can have several tool calls.",
        "two calls",
        "_response/tool_calls.py",
        {"vertex": UNTRIED, "ai_studio": SIGNATURES, "openai_compatible": OPENAI},
        _check_parallel,
        needs=("tool-call",),
        spend=_CALL_SPEND,
    ),
    Probe(
        "parallel-calls-of-stream",
        "A stream can have several tool calls.",
        "two calls",
        "_response/call_decisions.py",
        {"vertex": UNTRIED, "ai_studio": _PARALLEL, "openai_compatible": OPENAI},
        _check_streamed_parallel,
        needs=("tool-call-of-stream", "parallel-calls"),
        spend=_CALL_SPEND,
    ),
    Probe(
        "index-of-calls",
        "Streamed calls have an `index` on Vertex AI, and no `index` on AI Studio.",
        "an index only on Vertex AI",
        "_response/call_decisions.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": _CAPTURE},
        _check_index,
        needs=("tool-call-of-stream",),
        spend=_CALL_SPEND,
    ),
    Probe(
        "end-of-streamed-call",
        "The finish reason of a stream with a tool call is `tool_calls` on Vertex AI, and `stop` on AI Studio.",
        "one finish reason",
        "_response/finish_reasons.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": _STOP},
        _check_end_of_stream,
        needs=("tool-call-of-stream",),
        spend=_CALL_SPEND,
    ),
    Probe(
        "streamed-arguments",
        "With `stream_function_call_arguments`, the arguments of a call arrive in pieces.",
        "several pieces of one JSON object",
        "GOOGLE_KEYS in _catalog/surfaces.py",
        {"vertex": VERTEX_EXAMPLES},
        _check_pieces,
        needs=("tool-call-of-stream",),
        spend=_CALL_SPEND,
    ),
    Probe(
        "tool-loop",
        "After the result of a tool call, the model answers with text.",
        "a text with the result",
        "_request/assistant_messages.py and _request/tool_results.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": STUDIO, "openai_compatible": OPENAI},
        _check_loop,
        needs=("tool-call",),
        spend=Spend(requests=2, input_tokens=180, output_tokens=400),
    ),
    Probe(
        "tool-without-parameters",
        "A tool that is declared without `parameters` can be called.",
        "a call",
        "_schema/functions.py",
        {"vertex": UNTRIED, "ai_studio": UNTRIED},
        _check_no_arguments,
        spend=_CALL_SPEND,
    ),
    *(
        Probe(
            f"tool-choice-{choice}",
            f"`tool_choice` `{choice}` is accepted and followed.",
            ANSWER,
            "_request/tool_choice.py",
            sources,
            partial(_check_choice, choice=choice),
            needs=("text", "tool-call"),
            spend=_CALL_SPEND,
        )
        for choice, sources in _CHOICES
    ),
    Probe(
        "tool-choice-object",
        "A `tool_choice` that names a tool is refused.",
        "400",
        "_request/tool_choice.py",
        {"vertex": UNTRIED, "ai_studio": UNTRIED},
        _check_choice_object,
        needs=("tool-call",),
        spend=REFUSED,
    ),
)

"""More data of the fault matrix: tool calls as servers were seen to stream them, and requests that servers refuse."""

import json

from fault_entries import Case
from fault_rows import (
    BROKEN,
    BROKEN_AGAIN,
    COMPAT,
    DONE,
    EXAMPLES,
    OVERVIEW,
    RIGHT,
    SEEN,
    SIGNATURES,
    VERTEX,
    body_of,
    delta,
    every,
    raw,
    styled,
    text,
)
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from wire import call

from langchain_gemini_compat.testing import Call, Fault, Reply, Style

DAYU = "https://github.com/noho/dayu-agent/pull/91"
COMPUTER = "https://github.com/open-webui/computer/issues/224"
FORUM = "https://discuss.ai.google.dev/t/gemini-openai-compatibility-issue-with-tool-call-streaming/59886"
STREAMED_ARGUMENTS = {"surface": "vertex", "options": {"stream_function_call_arguments": True}}
PAIR = {"calls": 2}
ONE = {"calls": 1}
#: The expected outcomes if the model's call has no signature. An agent then sends the placeholder signature.
UNSIGNED = every("correct", agent="correct, with a placeholder", agent_stream="correct, with a placeholder")
PLACEHOLDER = every("correct, with a placeholder")
NO_CALL = every("MalformedToolCallError", "part of the reply, then MalformedToolCallError")
#: A message or a delta with one call.
CALLING = {"role": "assistant", "tool_calls": [call("add", '{"a":1,"b":2}')]}
DETAILS = [{"type": "reasoning.encrypted", "data": "ZGF0YQ=="}]
BREAK = [{"text": "\n"}]
#: An error in a stream of Vertex AI. It is indented JSON, and not an event with `data:`.
CANCELLED = """
[{
  "error": {
    "code": 499,
    "message": "The operation was cancelled.",
    "status": "CANCELLED"
  }
}
]
"""


HEAD = {"role": "assistant", "tool_calls": [call("add", "", index=0)]}
SAYING = {"role": "assistant", "content": "Let me see."}
TWICE = {"role": "assistant", "tool_calls": [call("add", json.dumps('{"a":1,"b":2}'))]}
REST = {"function": {"arguments": '{"a":1,"b":2}'}}
NAMED = (call("a", "", index=0), {"index": 0, "function": {"name": "dd"}}, {"index": 0, **REST})
CUT_PAIR_ARGS = '{"a":1,"b":2,"note":"\ud83d\ude00"}'
CUT_AT = CUT_PAIR_ARGS.index("\ude00")
CUT_PAIR = {"role": "assistant", "tool_calls": [call("add", '{"a":1,"b":2,"note":"😀"}')]}


def two_choices(key):
    """Return a reply or an event with two choices: one for the text, one for the call."""
    parts = [{"index": 0, key: SAYING}, {"index": 1, key: CALLING}]
    return {**delta(), "choices": [{**part, "finish_reason": "tool_calls"} for part in parts]}


def last_whole(message):
    """Return the last event of a stream, which repeats the whole message."""
    event = delta("tool_calls")
    event["choices"][0]["message"] = message
    return event


def cut_call(finish=None, after=""):
    """Return a fault whose reply ends inside the arguments of a call."""
    entry = call("add", '{"a": 1, "b', "call-1")
    parts = [delta(tool_calls=[entry]), *([delta(finish), DONE] if finish else []), after]
    return raw(body_of({"role": "assistant", "tool_calls": [entry]}, finish or "stop"), *parts)


CALLS = (
    Case("good calls", COMPAT, styled(), RIGHT, **PAIR),
    Case("calls on Vertex", EXAMPLES, styled(), RIGHT, **PAIR, **VERTEX),
    Case("no `index`, one call in each chunk", DAYU, styled(index="absent", calls_per_frame=1), RIGHT, **PAIR),
    Case("no `index`, both calls in one chunk", "https://github.com/openai/openai-python/issues/2806", styled(index="absent", calls_per_frame=2), RIGHT, **PAIR),
    Case("`index` always 0", FORUM, styled(index="zero"), RIGHT, **PAIR),
    Case("`index` always 0, both calls in one chunk", FORUM, styled(index="zero", calls_per_frame=2), RIGHT, **PAIR),
    Case("`index` always 0 and empty ids", FORUM, styled(index="zero", ids="empty"), RIGHT, **PAIR),
    Case("the first chunk of a call has a different `index` than its other chunks; id and name in every chunk", EXAMPLES, styled(index="lying", args="cut", ids="repeated", names="repeated"), RIGHT, **PAIR, **STREAMED_ARGUMENTS),
    Case("arguments in pieces, id and name once", OVERVIEW, styled(index="right", args="cut", ids="present", names="once"), RIGHT, **PAIR, **VERTEX),
    Case("arguments in pieces, no `index`, no id after the first", COMPUTER, styled(index="absent", args="cut"), RIGHT, **PAIR),
    Case("`{}` before the arguments", "https://github.com/microsoft/autogen/pull/7549", styled(args="empty_object_first"), RIGHT, **ONE),
    Case("`{}` before the arguments of parallel calls", "https://github.com/microsoft/autogen/pull/7549", styled(index="right", args="empty_object_first"), RIGHT, **PAIR),
    Case("the arguments of two calls joined in one", "https://github.com/NousResearch/hermes-agent/issues/57939", styled(args="glued"), every("correct", "part of the reply, then MalformedToolCallError"), **PAIR),
    Case("unescaped line breaks inside strings", SEEN, styled(args="raw_newlines", ids="repeated", names="repeated"), RIGHT, note="one\ntwo", **PAIR, **STREAMED_ARGUMENTS),
    Case("empty ids", "https://github.com/camel-ai/camel/issues/3027", styled(ids="empty"), RIGHT, **PAIR),
    Case("no ids", "https://github.com/openai/openai-dotnet/issues/428", styled(ids="absent"), RIGHT, **PAIR),
    Case("the function's name as id", "https://discuss.ai.google.dev/t/openai-compatibility-bug-in-response-object/58484", styled(ids="function_name"), RIGHT, **PAIR),
    Case("the same id twice", "https://github.com/google/adk-python/issues/951", styled(ids="doubled"), RIGHT, **PAIR),
    Case("a signature inside the id", "https://github.com/BerriAI/litellm/pull/16895", styled(ids="litellm"), RIGHT, **PAIR),
    Case("`stop` after calls", "https://github.com/googleapis/python-genai/issues/2868", styled(finish="stop"), RIGHT, **PAIR),
    Case("`stop` on every chunk, with calls", "https://github.com/su-kaka/gcli2api/issues/403", styled(finish="every_chunk"), RIGHT, **PAIR),
    Case("calls without a finish reason, with `[DONE]`", SEEN, styled(finish="absent"), RIGHT, **PAIR),
    Case("calls with `content: null`", COMPAT, styled(content="null"), RIGHT, **PAIR),
    Case("`content` in parts, a line break beside a call", "https://discuss.ai.google.dev/t/openai-compatibility-bug-in-response-object/58484", raw(body_of({**CALLING, "content": BREAK}, "tool_calls"), delta("tool_calls", content=BREAK, **CALLING), DONE), UNSIGNED, **ONE),
    Case("calls with an empty text", COMPAT, styled(content="empty"), RIGHT, **PAIR),
    Case("a signature in a separate entry, after its call", COMPUTER, styled(signature="alone"), RIGHT, **PAIR),
    Case("a signature in a separate entry, before its call", COMPUTER, styled(signature="alone_first"), RIGHT, **PAIR),
    Case("a signature on the message instead of the call", "https://github.com/mozilla-ai/any-llm/pull/1320", styled(signature="on_delta"), RIGHT, **PAIR),
    Case("a signature under `extra_content.vertex`", "https://github.com/earendil-works/pi/pull/7745", styled(signature="other_namespace"), RIGHT, **PAIR),
    Case("no signature", "https://github.com/cloudflare/ai/issues/502", styled(signature="absent"), UNSIGNED, **PAIR),
    Case("`reasoning_details` instead of a signature", "https://github.com/OpenRouterTeam/openrouter-examples/issues/67", raw(body_of({**CALLING, "reasoning_details": DETAILS}, "tool_calls"), delta(reasoning_details=DETAILS), delta("tool_calls", **CALLING), DONE), RIGHT, surface="openai_compatible", **ONE),
    Case("a thought tag that is not closed, and then a call", SIGNATURES, lambda said: Reply(thoughts="Six times seven.", calls=said.calls, style=Style(thoughts="unclosed")), RIGHT, thoughts="Six times seven.", options={"include_thoughts": True}, **PAIR),
    Case("the signature of a text in a last chunk without text", SIGNATURES, text(), RIGHT),
    Case("a text's signature on Vertex", EXAMPLES, text(), RIGHT, **VERTEX),
    Case("a call cut off by `length`", "https://github.com/supernovae-st/nika/issues/300", cut_call("length"), NO_CALL, **ONE),
    Case("incomplete arguments, finish reason `stop`", "https://github.com/NousResearch/hermes-agent/issues/62937", cut_call("stop"), NO_CALL, every("correct after 1 retry", "part of the reply, then MalformedToolCallError"), **ONE),
    Case("a stream that ends inside a call", "https://github.com/google-gemini/gemini-cli/issues/8521", lambda said: Fault.cut_stream("", (Call("add", '{"a": 1, "b'),)), BROKEN, BROKEN_AGAIN, **ONE),
    Case("`499 CANCELLED` inside a call", SEEN, cut_call(after=CANCELLED), every("MalformedToolCallError", "part of the reply, then ServerError"), every("correct after 1 retry", "part of the reply, then ServerError"), **ONE, **STREAMED_ARGUMENTS),
    Case("a call without arguments, then the finish reason `length`", SEEN, raw(body_of(HEAD, "length"), delta(**HEAD), delta("length"), DONE), every("MalformedToolCallError", "part of the reply, then MalformedToolCallError", stream_events="MalformedToolCallError"), **ONE),
    Case("the same call twice, with the same id", SEEN, raw(body_of({**CALLING, "tool_calls": CALLING["tool_calls"] * 2}, "tool_calls"), delta(**CALLING), delta("tool_calls", **CALLING), DONE), UNSIGNED, **ONE),
    Case("a call's arguments repeated, without id and name", SEEN, raw(body_of({**CALLING, "tool_calls": [*CALLING["tool_calls"], REST]}, "tool_calls"), delta(**CALLING), delta("tool_calls", tool_calls=[REST]), DONE), UNSIGNED, **ONE),
    Case("a function's name in pieces", SEEN, raw(body_of(CALLING, "tool_calls"), *(delta(tool_calls=[entry]) for entry in NAMED), delta("tool_calls"), DONE), UNSIGNED, **ONE),
    Case("text in one choice, and a call in another choice", "https://github.com/langchain4j/langchain4j/issues/4931", raw(two_choices("message"), two_choices("delta"), DONE), UNSIGNED, **ONE),
    Case("finish reason `abort` after a call", SEEN, raw(body_of(CALLING, "abort"), delta(**CALLING), delta("abort"), DONE), BROKEN, BROKEN_AGAIN, **ONE),
    Case("finish reason `tool_calls`, without a call", SEEN, raw(body_of(SAYING, "tool_calls"), delta(**SAYING), delta("tool_calls"), DONE), NO_CALL, every("correct after 1 retry", "part of the reply, then MalformedToolCallError"), **ONE),
    Case("arguments encoded twice", SEEN, raw(body_of(TWICE, "tool_calls"), delta("tool_calls", **TWICE), DONE), UNSIGNED, **ONE),
    Case("a last chunk with a `delta` and the whole `message`", SEEN, raw(body_of(CALLING, "tool_calls"), delta(**CALLING), last_whole(CALLING), DONE), UNSIGNED, **ONE),
    Case("a surrogate pair of the arguments split between chunks", SEEN, raw(body_of(CUT_PAIR, "tool_calls"), delta(tool_calls=[call("add", CUT_PAIR_ARGS[:CUT_AT], index=0)]), delta("tool_calls", tool_calls=[{"index": 0, "function": {"arguments": CUT_PAIR_ARGS[CUT_AT:]}}]), DONE), UNSIGNED, note="😀", **ONE),
)  # fmt: skip

HISTORY = [
    HumanMessage("What is 1+2?"),
    AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1, "b": 2}, "id": "call-1"}]),
    ToolMessage("3", tool_call_id="call-1", name="add"),
]
WIDE = {
    "type": "object",
    "$schema": "http://json-schema.org/draft-07/schema#",
    "$defs": {"Unit": {"type": "string", "enum": ["km", "mi"], "title": "Unit"}},
    "additionalProperties": False,
    "properties": {
        "unit": {"$ref": "#/$defs/Unit"},
        "kind": {"const": "road"},
        "count": {"type": "integer", "default": 1, "exclusiveMinimum": 0},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "A note.", "default": None},
    },
    "required": ["unit", "kind"],
}
TOOL = {"type": "function", "function": {"name": "measure", "description": "Measure.", "parameters": WIDE}}
NO_ARGUMENTS = {
    "type": "function",
    "function": {"name": "now", "description": "The time.", "parameters": {"type": "object", "properties": {}}},
}
EMPTY_PARTS = "https://github.com/lastmile-ai/mcp-agent/issues/121"
REQUESTS = (
    Case("a call without text in the history (`content: null`)", EMPTY_PARTS, text(), PLACEHOLDER, messages=HISTORY),
    Case("a call with broken arguments in the history", SEEN, text(), RIGHT, messages=[HISTORY[0], AIMessage("", invalid_tool_calls=[{"type": "invalid_tool_call", "name": "add", "args": '{"a": 1', "id": "call-1", "error": "broken"}]), HISTORY[2]]),
    Case("an empty tool result", EMPTY_PARTS, text(), PLACEHOLDER, messages=[*HISTORY[:2], ToolMessage("", tool_call_id="call-1")]),
    Case("text beside a call in the history, on Vertex", "https://github.com/NousResearch/hermes-agent/issues/69231", text(), PLACEHOLDER, messages=[HISTORY[0], AIMessage("I add.", tool_calls=HISTORY[1].tool_calls), HISTORY[2]], model="gemini-3.5-flash-lite", **VERTEX),
    Case("a call without a result", "https://github.com/microsoft/vscode/issues/299295", text(), RIGHT, messages=[*HISTORY[:2], HumanMessage("What is it?")]),
    Case("a result without a call", "https://github.com/google-gemini/gemini-cli/issues/26486", text(), RIGHT, messages=[HISTORY[2], HumanMessage("What is it?")]),
    Case("only a system message", "https://github.com/langchain-ai/langchain-google/issues/1351", text(), RIGHT, messages=[SystemMessage("Say the answer.")]),
    Case("an assistant message at the end", "https://github.com/envoyproxy/ai-gateway/pull/2686", text(), RIGHT, messages=[HumanMessage("What is it?"), AIMessage("The answer")]),
    Case("`tools: []`", "https://github.com/langchain-ai/langchain/issues/37184", text(), RIGHT, tools=[]),
    Case("`$schema`, `$ref`, `const`, `default`, `additionalProperties`, `anyOf` together with other keywords", "https://github.com/taylorwilsdon/google_workspace_mcp/issues/1099", text(), RIGHT, tools=[TOOL]),
    Case("a tool without arguments", "https://github.com/langchain-ai/langgraphjs/issues/1051", text(), RIGHT, tools=[NO_ARGUMENTS]),
    Case("`strict` in a tool", COMPAT, text(), RIGHT, tools=[{**TOOL, "function": {**TOOL["function"], "strict": True}}]),
    Case("parameters unknown to AI Studio", "https://github.com/Vali-98/ChatterUI/issues/227", text(), RIGHT, options={"seed": 1, "frequency_penalty": 0.5, "model_kwargs": {"store": True}}),
    Case("a field of `extra_body` unknown to AI Studio, with `strict=True`", "https://github.com/Alishahryar1/free-claude-code/issues/542", text(), every("InvalidRequestError"), options={"extra_body": {"store": True}, "strict": True}),
    Case("a thinking level that the model does not support", "https://github.com/BerriAI/litellm/issues/37314", text(), RIGHT, options={"reasoning_effort": "minimal"}),
)  # fmt: skip

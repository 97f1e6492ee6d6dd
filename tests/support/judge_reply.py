"""Read the bytes of a reply as the package does, and check the result.

The result must be an exception of this package or a message. It must be possible to store the message, to run its
calls, and to send it back.
"""

import json
import pickle
from functools import reduce
from math import inf
from operator import add

from jiter import from_json
from langchain_core.messages import HumanMessage, ToolMessage, message_chunk_to_message
from outgoing import build
from wire import http

from langchain_gemini_compat._response.message_chunks import ReplyDecoder
from langchain_gemini_compat._transport.deadlines import Deadline
from langchain_gemini_compat._transport.reader import build_reader
from langchain_gemini_compat._transport.sending import Exchange
from langchain_gemini_compat._transport.timeouts import TimeLimits
from langchain_gemini_compat.errors import GeminiCompatError

QUESTION = HumanMessage("hi")
REQUEST = build([QUESTION], "ai_studio", stream=True)


def _read(pieces, *, stream, status=200):
    """Return the chunks of a reply."""
    response = http.Response(status, request=http.Request("POST", "http://server.test/chat/completions"))
    exchange = Exchange(Deadline(response.request, first_by=inf, between_chunks=None, end_by=None))
    exchange.response, exchange.is_raw = response, True
    with build_reader(exchange, REQUEST.endpoint.surface, TimeLimits(), stream=stream) as reader:
        for piece in pieces:
            yield from reader.feed(piece)
        yield from reader.finish()


def read_stream(pieces):
    """Return the message of a stream whose bytes arrive in `pieces`, or the error that it raises."""
    decoder = ReplyDecoder(REQUEST)
    try:
        chunks = [chunk for wire in _read(pieces, stream=True) for chunk in decoder.feed(wire)] + [*decoder.finish()]
    except GeminiCompatError as err:
        return err
    return message_chunk_to_message(reduce(add, [chunk.message for chunk in chunks]))


def read_whole(content):
    """Return the message of a whole reply, or the error that it raises."""
    try:
        (wire,) = _read([content], stream=False)
        return ReplyDecoder(REQUEST).decode_whole(wire).message
    except GeminiCompatError as err:
        return err


def read_refusal(status, content):
    """Return the error for an answer with an error status."""
    try:
        return [*_read([content], stream=True, status=status)]
    except GeminiCompatError as err:
        return err


def judge(outcome):
    """Check that a message is usable, or that an error can be printed and pickled. Return `outcome`."""
    if isinstance(outcome, GeminiCompatError):
        assert str(outcome)
        assert repr(pickle.loads(pickle.dumps(outcome))) == repr(outcome)
    else:
        _judge_calls(outcome)
        _judge_message(outcome)
    return outcome


def _judge_calls(message):
    """Assert that each call has a name, an id and valid arguments."""
    assert message.invalid_tool_calls == []
    ids = [call["id"] for call in message.tool_calls]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    for call in message.tool_calls:
        assert isinstance(call["name"], str)
        assert call["name"]
        assert isinstance(call["args"], dict)
        text = json.dumps(call["args"], allow_nan=False)
        assert from_json(text.encode(), allow_inf_nan=False) == call["args"]


def _judge_message(message):
    """Assert that the message can be printed, stored, read as blocks, and sent back with results of its calls."""
    usage = message.usage_metadata
    assert usage is None or usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"]
    assert message.model_dump_json()
    assert pickle.loads(pickle.dumps(message)).tool_calls == message.tool_calls
    assert isinstance(message.content_blocks, list)
    results = [ToolMessage("done", tool_call_id=call["id"]) for call in message.tool_calls]
    try:
        request = build([QUESTION, message, *results, QUESTION], "ai_studio")
    except GeminiCompatError:
        return
    body = json.dumps(request.payload, ensure_ascii=False).encode(errors="replace")
    assert from_json(body)


def outcome_key(outcome):
    """Return the parts of an outcome that are compared: text, calls, thoughts and usage, or the class of the error."""
    if isinstance(outcome, GeminiCompatError):
        return type(outcome).__name__
    calls = [(call["name"], call["id"], json.dumps(call["args"], sort_keys=True)) for call in outcome.tool_calls]
    return outcome.text, calls, outcome.additional_kwargs.get("reasoning_content"), outcome.usage_metadata

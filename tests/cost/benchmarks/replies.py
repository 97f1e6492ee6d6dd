"""The content of each reply, for all protocols.

| name | reply |
|---|---|
| `plain` | a whole answer of 20 words |
| `object` | a whole answer that is a JSON object |
| `text-<chunks>` | a stream of text |
| `live-<chunks>-<ms>` | a stream of text with a pause after each chunk |
| `tools-<calls>-<deltas>` | a stream of tool calls |
| `agent-<steps>` | a tool call, or an answer if the request has the results of this many calls |
| `vectors-<texts>-<dimensions>` | embeddings |
| `count-<label>` | `plain`; the server counts the connections of the label |
"""

import json
import random
from array import array
from base64 import b64encode

from tool_schemas import CALLED

MODEL = "gemini-3.8-flash"
OBJECT = {"name": "Ada Lovelace", "born": 1815, "places": ["London", "Ockham"], "is_alive": False}
_USAGE = {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10}
_STREAMED = ("text", "live", "tools")


def words(count):
    """Return the pieces of a text."""
    return [f" word{number}" for number in range(count)]


def arguments(count):
    """Return the pieces of a call's arguments. Together they are a JSON object."""
    return ['{"text": "', *words(count - 2), '"}']


def deltas(calls, count):
    """Return the entries of `tool_calls`, one per event: first a call's name, then its arguments."""
    for index in range(calls):
        function = {"name": "search", "arguments": ""}
        yield {"index": index, "id": f"call_{index}", "type": "function", "function": function}
        for piece in arguments(count):
            yield {"index": index, "function": {"arguments": piece}}


def build(name, *, is_google=False, is_base64=False, results=0):
    """Return a whole reply as a dict, or the events of a stream.

    Args:
        name: A name from the table in the docstring of this module.
        is_google: Whether the reply uses Google's native protocol.
        is_base64: Whether the request asks for vectors in base64.
        results: The number of tool results in the request.
    """
    kind, *sizes = name.split("-")
    if kind == "vectors":
        return _vectors(*map(int, sizes), is_base64=is_base64)
    if kind in _STREAMED:
        numbers = [int(size) for size in sizes]
        return _google_stream(*numbers) if is_google else _openai_stream(kind, numbers)
    calls = kind == "agent" and results < int(sizes[0])
    text = json.dumps(OBJECT) if kind == "object" else " ".join(words(20))
    if is_google:
        return _google([{"functionCall": {"name": CALLED, "args": {"query": "reports"}}}] if calls else text, "STOP")
    if calls:
        function = {"name": CALLED, "arguments": '{"query": "reports"}'}
        call = {"id": f"call_{results}", "type": "function", "function": function}
        return _openai("message", {"content": None, "tool_calls": [call]}, "tool_calls")
    return _openai("message", {"content": text}, "stop")


def _openai_stream(kind, numbers):
    if kind == "tools":
        pieces, end = ({"tool_calls": [delta]} for delta in deltas(*numbers)), "tool_calls"
    else:
        pieces, end = ({"content": word} for word in words(numbers[0])), "stop"
    return [*(_openai("delta", piece) for piece in pieces), _openai("delta", {"content": ""}, end)]


def _google_stream(count, *_):
    return [*map(_google, words(count)), _google("", "STOP")]


def _openai(place, said, finish=None):
    kind = "chat.completion" if place == "message" else "chat.completion.chunk"
    choice = {"index": 0, place: {"role": "assistant", **said}, **({"finish_reason": finish} if finish else {})}
    reply = {"id": "reply-1", "object": kind, "created": 1, "model": MODEL, "choices": [choice]}
    return {**reply, "usage": _USAGE} if finish else reply


def _google(said, finish=None):
    finish = {"finishReason": finish} if finish else {}
    parts = [{"text": said}] if isinstance(said, str) else said
    candidate = {"index": 0, "content": {"role": "model", "parts": parts}, **finish}
    return {"candidates": [candidate], "modelVersion": MODEL, "responseId": "reply-1"}


def _vectors(count, length, *, is_base64):
    draw = random.Random(1)
    data = []
    for index in range(count):
        vector = [round(draw.gauss(0, 0.03), 9) for _ in range(length)]
        embedding = b64encode(array("f", vector).tobytes()).decode() if is_base64 else vector
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": data, "model": MODEL, "usage": usage}

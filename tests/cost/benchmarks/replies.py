"""The content of each reply, for all protocols.

`plain`, `text-<chunks>`, `tools-<calls>-<deltas>`, `vectors-<texts>-<dimensions>`.
"""

import random
from array import array
from base64 import b64encode

MODEL = "gemini-3.8-flash"
_USAGE = {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10}


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


def vectors(count, length, *, is_base64):
    """Return the reply of `/embeddings`. The openai SDK asks for vectors in base64."""
    draw = random.Random(1)
    data = []
    for index in range(count):
        vector = [round(draw.gauss(0, 0.03), 9) for _ in range(length)]
        embedding = b64encode(array("f", vector).tobytes()).decode() if is_base64 else vector
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": data, "model": MODEL, "usage": usage}


def build(name, *, is_google):
    """Return a whole reply as a dict, or the events of a stream."""
    kind, *sizes = name.removesuffix("-base64").split("-")
    numbers = [int(size) for size in sizes]
    if is_google:
        return (
            _google(" ".join(words(20))) if kind == "plain" else [*map(_google, words(*numbers)), _google("", "STOP")]
        )
    if kind == "vectors":
        return vectors(*numbers, is_base64=name.endswith("-base64"))
    if kind == "plain":
        return _openai("message", {"content": " ".join(words(20))}, "stop")
    pieces = (
        ({"content": word} for word in words(*numbers))
        if kind == "text"
        else ({"tool_calls": [delta]} for delta in deltas(*numbers))
    )
    end = "stop" if kind == "text" else "tool_calls"
    return [*(_openai("delta", piece) for piece in pieces), _openai("delta", {"content": ""}, end)]


def _openai(place, said, finish=None):
    kind = "chat.completion" if place == "message" else "chat.completion.chunk"
    choice = {"index": 0, place: {"role": "assistant", **said}, **({"finish_reason": finish} if finish else {})}
    reply = {"id": "reply-1", "object": kind, "created": 1, "model": MODEL, "choices": [choice]}
    return {**reply, "usage": _USAGE} if finish else reply


def _google(text, finish=None):
    finish = {"finishReason": finish} if finish else {}
    candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}, **finish}
    return {"candidates": [candidate], "modelVersion": MODEL, "responseId": "reply-1"}

"""The cases of the benchmark: a function of a peer for each, and the units of work in one run."""

import asyncio
import base64
import random
from dataclasses import dataclass
from functools import partial

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

_LOOP = asyncio.new_event_loop()


@dataclass(frozen=True)
class Case:
    """Calls `verb` of a peer with the reply named `reply`."""

    group: str
    name: str
    reply: str
    verb: str
    units: int
    #: The table's unit, in seconds.
    unit: float = 1e-6
    messages: object = "hi"
    args: tuple = ()
    is_long: bool = False

    def takes(self, peer):
        if self.reply.startswith("tools") and not peer.streams_arguments:
            return False
        if (self.is_long and peer.is_slow) or (peer.verbs and self.verb not in peer.verbs):
            return False
        return getattr(peer, self.verb) is not None

    def prepare(self, peer, url):
        """Return a function that runs the case once, and the client to keep alive meanwhile."""
        client = peer(url, self.reply)
        verb = getattr(client, self.verb)
        if self.verb == "construct":
            return verb
        run = partial(verb, client.prepare(self.messages), *self.args)
        is_async = asyncio.iscoroutinefunction(verb)
        return (lambda: _LOOP.run_until_complete(run())) if is_async else run


def build_cases(*, quick):
    """Return all cases, or only those that take a few minutes."""
    sizes = (200, 2_000) if quick else (200, 2_000, 20_000)
    tools = [(calls, deltas) for calls in (1, 2, 8) for deltas in ((100,) if quick else (10, 100, 1_000))]
    added = [(2, 100)] if quick else [(calls, deltas) for calls, deltas in tools if deltas == 100]
    lengths = (1, 1_000) if quick else (1, 10, 100, 1_000)
    return [
        *(_text(verb, size) for verb in ("stream", "astream", "add") for size in sizes),
        *(_tools("stream", *size) for size in tools),
        *(_tools("add", *size) for size in added),
        *(_events(verb, f"text-{size}", size) for verb in ("events", "aevents") for size in sizes),
        *(_events(verb, "tools-2-100", 202) for verb in ("events", "aevents")),
        Case("Calls, ms", "plain, sync", "plain", "call", 1, 1e-3),
        Case("Calls, ms", "plain, async", "plain", "acall", 1, 1e-3),
        Case("Calls, ms", "1 MB of image", "plain", "call", 1, 1e-3, messages=build_image(2**20)),
        *(_history(kind, length) for kind in ("text", "tools") for length in lengths),
        Case("100 concurrent calls, ms per call", "batch", "plain", "batch", 100, 1e-3, args=(100,)),
        Case("100 concurrent calls, ms per call", "abatch", "plain", "abatch", 100, 1e-3, args=(100,)),
        Case("Construction, µs", "construct", "plain", "construct", 1),
    ]


def _text(verb, size):
    name = {"stream": "sync", "astream": "async", "add": "added with `+`"}[verb]
    return Case("Text stream, µs per chunk", f"{name}, {size:,}", f"text-{size}", verb, size, is_long=size > 2_000)


def _tools(verb, calls, deltas):
    name = f"{calls} × {deltas:,}"
    units = calls * (deltas + 1)
    group = "Tool stream added with `+`, µs per delta" if verb == "add" else "Tool stream, calls × deltas, µs per delta"
    return Case(group, name, f"tools-{calls}-{deltas}", verb, units, is_long=units > 2_000)


def _events(verb, reply, units):
    kind = f"{units:,} of text" if reply.startswith("text") else "2 × 100 of calls"
    name = f"{'async' if verb == 'aevents' else 'sync'}, {kind}"
    return Case("v3 events, µs per chunk", name, reply, verb, units, is_long=units > 2_000)


def _history(kind, length):
    messages = build_history(length) if kind == "tools" else build_talk(length)
    name = f"{length:,} messages, {'with tool turns' if kind == 'tools' else 'text'}"
    return Case("Histories, ms per call", name, "plain", "call", 1, 1e-3, messages=messages)


def build_talk(length):
    """Return a conversation of a person and a model."""
    said = "A sentence of which there are many in a long talk, and which is as long as sentences are."
    return [(AIMessage if number % 2 else HumanMessage)(f"{said} {number}") for number in range(length)]


def build_history(length):
    """Return the steps of an agent: a question, then calls and their results, and an answer now and then."""
    messages, number = [HumanMessage("Find out what there is to know.")], 0
    while len(messages) < length:
        number += 1
        call = {"name": "search", "args": {"text": f"question {number}", "limit": number}, "id": f"call_{number}"}
        messages += [AIMessage("", tool_calls=[call]), ToolMessage("What was found. " * 5, tool_call_id=call["id"])]
        if number % 5 == 0:
            messages += [AIMessage("That is it."), HumanMessage("And what else?")]
    return (
        messages[:length] if isinstance(messages[length - 1], (HumanMessage, ToolMessage)) else messages[: length - 1]
    )


def build_image(size):
    """Return a question about a picture of `size` bytes."""
    data = base64.b64encode(random.Random(1).randbytes(size)).decode()
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    return [HumanMessage([{"type": "text", "text": "What is this?"}, picture])]

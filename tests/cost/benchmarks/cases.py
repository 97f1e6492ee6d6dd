"""The cases of the benchmark.

A *peer* is a measured package, and a *verb* is a method of its class in `peers`. Each case has a verb, its arguments,
and the units of work in one run.
"""

import base64
import random
from dataclasses import dataclass

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

AGENTS, STALLS, TOOLS = "Agents, ms per step", "Longest stall of the event loop, ms", "Tools, ms per call"
STRUCTURED, REQUESTS = "Structured output, ms per call", "A model per request, ms"
CONNECTIONS = "Connections of 30 equal models"
LIVE, FIRST = "Live streams, µs per chunk", "Time to the first token, ms"
TEXT, DELTAS = "Text stream, µs per chunk", "Tool stream, calls × deltas, µs per delta"
ADDED = "Tool stream added with `+`, µs per delta"
EVENTS, CALLS, HISTORIES = "v3 events, µs per chunk", "Calls, ms", "Histories, ms per call"
TOGETHER, EMBEDDINGS = "100 concurrent calls, ms per call", "Embeddings of 768 numbers, µs per text"
CONSTRUCTION = "Construction, µs"
_MS = 1e-3


@dataclass(frozen=True)
class Case:
    """One case: the method `verb` of a peer is measured, and the server sends the reply named `reply`."""

    group: str
    name: str
    reply: str
    verb: str
    args: tuple = ()
    units: int = 1
    #: The unit of this case's values in the table, in seconds.
    unit: float = 1e-6
    is_long: bool = False
    is_tls: bool = False

    def takes(self, peer):
        if self.reply.startswith("tools") and not peer.streams_arguments:
            return False
        if (self.is_long and peer.is_slow) or (peer.verbs and self.verb not in peer.verbs):
            return False
        return getattr(peer, self.verb, None) is not None


def build_cases(*, quick):
    """Return all cases. With `quick`, return fewer and smaller cases. Cases with a performance target come first."""
    sizes = (200, 2_000) if quick else (200, 2_000, 20_000)
    deltas = [(calls, count) for calls in (1, 2, 8) for count in ((100,) if quick else (10, 100, 1_000))]
    added = [(2, 100)] if quick else [(calls, count) for calls, count in deltas if count == 100]
    lengths = (1, 1_000) if quick else (1, 10, 100, 1_000)
    texts = 1_000 if quick else 10_000
    return [
        *(_agent(*one) for one in ((20, 50), (30, 1), (4, 500))),
        Case(STALLS, "agent of 20 steps, 50 tools", "agent-20", "stall", (50,), unit=_MS, is_long=True),
        Case(TOOLS, "500 tools, sent before", "plain", "tools", (500,), unit=_MS, is_long=True),
        Case(TOOLS, "500 tools, new to the process", "plain", "new_tools", (500,), unit=_MS, is_long=True),
        Case(TOOLS, "10 tools, sent before", "plain", "tools", (10,), unit=_MS),
        Case(TOOLS, "10 tools, new to the process", "plain", "new_tools", (10,), unit=_MS),
        Case(STRUCTURED, "pydantic class", "object", "structured", unit=_MS),
        Case(REQUESTS, "construct and one sync call", "plain", "request", unit=_MS),
        Case(CONNECTIONS, "sync calls", "plain", "connections", (30,), unit=1, is_long=True),
        *_live(quick=quick),
        Case(FIRST, "sync", "live-3-5", "first_token", unit=_MS),
        Case(TOGETHER, "abatch", "plain", "abatch", ("hi", 100), 100, _MS),
        Case(TOGETHER, "batch", "plain", "batch", ("hi", 100), 100, _MS),
        Case(EMBEDDINGS, f"{texts:,} texts", "vectors-100-768", "embed", (texts,), texts),
        Case(CALLS, "plain, sync", "plain", "call", ("hi",), unit=_MS),
        Case(CALLS, "plain, async", "plain", "acall", ("hi",), unit=_MS),
        Case(CALLS, "1 MB of image", "plain", "call", (build_image(2**20),), unit=_MS),
        *(_history(kind, length) for kind in ("text", "tools") for length in lengths),
        *(_text(verb, size) for verb in ("stream", "astream", "add") for size in sizes),
        *(_deltas("stream", *size) for size in deltas),
        *(_deltas("add", *size) for size in added),
        *(_events(verb, f"text-{size}", size) for verb in ("events", "aevents") for size in sizes),
        *(_events(verb, "tools-2-100", 202) for verb in ("events", "aevents")),
        Case(CONSTRUCTION, "construct", "plain", "construct"),
    ]


def _agent(steps, tools):
    name = f"{steps} steps, {tools} tool{'s' if tools > 1 else ''}"
    return Case(AGENTS, name, f"agent-{steps}", "agent", (tools,), steps + 1, _MS, is_long=True)


def _live(*, quick):
    """Return streams that send one event per TCP segment, slowly enough for every peer."""
    kinds = [(1, 300, 2), (20, 40, 12), (200, 20, 120)] if quick else [(1, 1_000, 2), (20, 100, 12), (200, 50, 120)]
    cases = [Case(LIVE, "sync, 1 stream", f"live-{kinds[0][1]}-2", "live_sync", is_long=True)]
    for is_tls in (False, True):
        for streams, chunks, pause in kinds:
            if not (is_tls and quick and streams != 20):
                name = f"async, {streams} stream{'s' if streams > 1 else ''}{', TLS' if is_tls else ''}"
                cases.append(
                    Case(LIVE, name, f"live-{chunks}-{pause}", "live", (streams,), is_long=True, is_tls=is_tls)
                )
    return cases


def _text(verb, size):
    name = {"stream": "sync", "astream": "async", "add": "added with `+`"}[verb]
    return Case(TEXT, f"{name}, {size:,}", f"text-{size}", verb, ("hi",), size, is_long=size > 2_000)


def _deltas(verb, calls, count):
    units = calls * (count + 1)
    group = ADDED if verb == "add" else DELTAS
    reply = f"tools-{calls}-{count}"
    return Case(group, f"{calls} × {count:,}", reply, verb, ("hi",), units, is_long=units > 2_000)


def _events(verb, reply, units):
    kind = f"{units:,} of text" if reply.startswith("text") else "2 × 100 of calls"
    name = f"{'async' if verb == 'aevents' else 'sync'}, {kind}"
    return Case(EVENTS, name, reply, verb, ("hi",), units, is_long=units > 2_000)


def _history(kind, length):
    messages = build_history(length) if kind == "tools" else build_talk(length)
    if length == 1:
        # The only message is the user's question, so the history has no tool turns yet.
        name = f"1 message, {'before tool turns' if kind == 'tools' else 'text'}"
    else:
        name = f"{length:,} messages, {'with tool turns' if kind == 'tools' else 'text'}"
    return Case(HISTORIES, name, "plain", "call", (messages,), unit=_MS)


def build_talk(length):
    """Return a conversation of a person and a model."""
    said = "A sentence of which there are many in a long talk, and which is as long as sentences are."
    return [(AIMessage if number % 2 else HumanMessage)(f"{said} {number}") for number in range(length)]


def build_history(length):
    """Return the history of an agent with one call per step. An answer and a new question follow every fifth call."""
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

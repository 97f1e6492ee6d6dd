"""Random streams of tool calls, and a check of the calls that are read from them.

The streams vary as those of real servers do. For example, names and arguments are whole or in pieces, arguments are
encoded twice, and calls are repeated. A stream may be cut anywhere, and its finish reason may be missing. Reading it
must give an error, or exactly the calls whose arguments were complete.
"""

import json
from dataclasses import dataclass
from functools import reduce
from operator import add
from random import Random

from call_dialects import cut
from langchain_core.messages import HumanMessage
from langchain_core.tools import StructuredTool
from outgoing import build
from pydantic import create_model

from langchain_gemini_compat._request.tools import format_tool
from langchain_gemini_compat._response.message_chunks import ReplyDecoder
from langchain_gemini_compat._wire.json_types import DONE
from langchain_gemini_compat.errors import GeminiCompatError

CLEAN = ("stop", "tool_calls", "STOP", "end_turn", "eos_token")
UNCLEAN = (
    *("length", "MAX_TOKENS", "abort", "error", "cancelled", "timeout", "content_filter", "SAFETY", "bored", "OTHER"),
    *("insufficient_system_resource", "MALFORMED_FUNCTION_CALL", None, None, None),
)
NAMES = ("delete", "delete_draft", "deleted", "pay", "search", "search_all")
#: The calls that the agent ran in the current test.
RAN = []


def _make_tool(name):
    arguments = create_model(name, number=(int, 0), text=(str, ""))

    def run(number=0, text=""):
        RAN.append((name, {"number": number, "text": text}))
        return "done"

    return StructuredTool.from_function(run, name=name, description="A tool.", args_schema=arguments)


TOOLS = [_make_tool(name) for name in NAMES]
REQUEST = build([HumanMessage("hi")], "vertex", stream=True, tools=[format_tool(tool) for tool in TOOLS])


@dataclass
class Meant:
    """A tool call of a random stream. `text` is what the server sends for the arguments `args`."""

    name: str
    args: dict
    text: str
    id: str
    #: The number of entries of `tool_calls` that a reader needs to get all arguments of this call.
    entries: int = 0
    seen: int = 0

    @property
    def is_complete(self):
        """Whether all arguments arrived. `False` for a call without arguments: only the stream's end completes it."""
        return self.seen >= self.entries and bool(self.args)


@dataclass
class Drawn:
    """The events of a stream, and the calls that the model made."""

    events: list
    calls: list
    is_clean: bool
    kinds: tuple


def draw_stream(seed):
    """Return the stream with this number."""
    random = Random(seed)
    kinds = []
    calls = [_draw_call(random, position) for position in range(random.choice((1, 1, 1, 2, 2, 3)))]
    has_ids = random.random() < 0.8
    index = random.choice(("right", "right", "absent", "zero"))
    names_in_pieces = random.random() < 0.3
    style = random.choice(("whole", "cut", "head", "placeholder"))
    written = []
    for position, call in enumerate(calls):
        entries = _write_call(random, call, style, has_ids, names_in_pieces, kinds)
        number = {"right": position, "zero": 0, "absent": None}[index]
        call.entries = max(
            [1 + place for place, entry in enumerate(entries) if entry["function"]["arguments"]], default=0
        )
        written.append([(call, {**entry, **({} if number is None else {"index": number})}) for entry in entries])
    if has_ids and index == "right" and len(calls) > 1 and random.random() < 0.3:
        kinds.append("interleaved")
        heads = [entries.pop(0) for entries in written]
        flat = heads + _weave(random, written)
    else:
        flat = [item for entries in written for item in entries]
    if has_ids and random.random() < 0.4:
        flat += _repeat(random, calls, kinds)
    return _end(random, calls, flat, kinds)


def _draw_call(random, position):
    name = random.choice(NAMES)
    args = random.choice(
        ({}, {"number": random.randrange(3)}, {"number": 7, "text": random.choice(("a", '}{"', "é\\"))})
    )
    text = json.dumps(args, ensure_ascii=random.random() < 0.5) if args else random.choice(("", "{}", "null"))
    return Meant(name, args, text, f"id_{position}")


def _write_call(random, call, style, has_ids, names_in_pieces, kinds):
    text = call.text
    if random.random() < 0.1 and text:
        kinds.append("encoded twice")
        text = json.dumps(text)
    pieces = [text] if style == "whole" or not text else cut(text, random.randrange)
    if style == "head":
        pieces = ["", *pieces]
    if style == "placeholder" and text.startswith("{"):
        pieces = ["{}", *pieces] if text != "{}" else pieces
    names = [call.name]
    if names_in_pieces:
        kinds.append("name in pieces")
        names = [piece for piece in cut(call.name, random.randrange, 3) if piece]
        if random.random() < 0.3:
            names = ["".join(names[: number + 1]) for number in range(len(names))]
    entries = [{"function": {"name": name, "arguments": ""}} for name in names[:-1]]
    entries += [{"function": {"name": names[-1], "arguments": pieces[0]}}]
    entries += [{"function": {"arguments": piece}} for piece in pieces[1:]]
    every = random.random() < 0.5
    for number, entry in enumerate(entries):
        if has_ids and (every or number == 0):
            entry["id"] = call.id
    return entries


def _weave(random, lists):
    woven = []
    while any(lists):
        woven.append(random.choice([items for items in lists if items]).pop(0))
    return woven


def _repeat(random, calls, kinds):
    """Return stream entries that repeat some of `calls`, each with its id, in various forms."""
    flat = []
    for call in random.sample(calls, random.randint(1, len(calls))):
        kind = random.choice(("whole", "spaced", "pieces", "head", "nameless"))
        kinds.append(f"repeated, {kind}")
        text = call.text
        if kind == "spaced" and text.startswith("{"):
            text = json.dumps(json.loads(text), indent=1)
        pieces = {"pieces": cut(text, random.randrange), "head": [""]}.get(kind, [text])
        for number, piece in enumerate(pieces):
            function = {"arguments": piece}
            if kind != "nameless" and number == 0:
                function["name"] = call.name
            index = random.choice(({}, {"index": 0}, {"index": random.randrange(4)}))
            flat.append((None, {"id": call.id, "function": function, **index}))
    return flat


def _end(random, calls, flat, kinds):
    is_cut = random.random() < 0.4
    is_clean = not is_cut and random.random() < 0.4
    word = random.choice(CLEAN if is_clean else UNCLEAN)
    kinds.append(f"ends in {word}")
    has_own_choice = random.random() < 0.1
    if has_own_choice:
        kinds.append("choice of its own")
    if is_cut:
        kinds.append("cut")
        flat = flat[: random.randrange(len(flat) + 1)]
    number = 1 if has_own_choice else 0
    events = [_event({"content": "So."}, 0)] if random.random() < 0.5 or has_own_choice else []
    for call, entry in flat:
        if call is not None:
            call.seen += 1
        events.append(_event({"tool_calls": [entry]}, number))
    if is_cut and random.random() < 0.5 and flat and "arguments" in flat[-1][1]["function"]:
        _shorten(random, flat[-1])
    if word is not None:
        events.append(_event({}, number, word))
    if is_clean or random.random() < 0.7:
        events.append(DONE)
    return Drawn(events, calls, is_clean, tuple(kinds))


def _shorten(random, last):
    """Cut off the arguments of the stream's last entry at a random position. `last` is its call and the entry."""
    call, entry = last
    text = entry["function"]["arguments"]
    if text:
        entry["function"]["arguments"] = text[: random.randrange(len(text))]
        if call is not None:
            call.seen -= 1


def _event(delta, number, word=None):
    choice = {"index": number, "delta": delta, **({"finish_reason": word} if word else {})}
    return {"id": "r", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


def read_calls(events):
    """Decode `events`. Return the name and arguments of each tool call, or the error that was raised."""
    decoder = ReplyDecoder(REQUEST)
    calls = {}
    try:
        for event in events:
            _collect(calls, decoder.read(event))
        parts, end = decoder.read_end()
        _collect(calls, parts)
        decoder.build_last(end)
    except GeminiCompatError as err:
        return err
    return [(name, json.loads(args)) for name, args in calls.values()]


def _collect(calls, parts):
    for index, call in parts.calls.items():
        name, args = calls.get(index, ("", ""))
        calls[index] = (name or call["name"], args + call["args"])


def read_message(events):
    """Decode the events. Return the sum of the message chunks, or the error that was raised."""
    decoder = ReplyDecoder(REQUEST)
    try:
        chunks = [piece for event in events for piece in decoder.feed(event)] + [*decoder.finish()]
    except GeminiCompatError as err:
        return err
    return reduce(add, [piece.message for piece in chunks])


def judge_stream(drawn, found):
    """Assert that `found` is an error, or the right calls of the stream `drawn`. Return the name of the outcome."""
    if isinstance(found, Exception):
        return type(found).__name__
    meant = [(call.name, call.args) for call in drawn.calls]
    if drawn.is_clean:
        assert found == meant
        return "all calls, clean ending"
    complete = [(call.name, call.args) for call in drawn.calls if call.is_complete]
    assert found == complete
    assert not any(call.seen and not call.is_complete for call in drawn.calls)
    return "complete calls, unclean ending" if found else "no calls, unclean ending"

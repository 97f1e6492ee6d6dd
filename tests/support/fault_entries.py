"""One fault and one entry point to one short word for what came of it; the fake endpoint plays the server.

Its one rule: the word is read off the outcome, never off the table of expectations, and a message that says nothing at
all is a word of its own.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, message_chunk_to_message
from langchain_core.tools import StructuredTool
from pydantic import BaseModel, create_model

from langchain_gemini_compat.testing import Call, FakeGemini, Reply

TEXT = "The answer is 42."
OBJECT = '{"value": 42, "unit": "km"}'
#: Cut in the middle of the text or of the object.
CUT = 11
SUMS = ((1, 2), (3, 4))
EMPTY = "empty message"
ENTRIES = ("invoke", "ainvoke", "agent", "stream", "astream", "stream_events", "agent_stream", "structured")
#: Numbers that keep the clients of different cells apart: waits after a 429 are shared by all who use one key.
_NUMBERS = count(1)


class Answer(BaseModel):
    """An answer."""

    value: int
    unit: str


Sum = create_model("add", __doc__="Add two numbers.", a=(int, ...), b=(int, ...), note=(str, ""))
ADD = StructuredTool.from_function(lambda a, b, note: a + b, name="add", description=Sum.__doc__, args_schema=Sum)


@dataclass(frozen=True)
class Say:
    """What the server would say if nothing went wrong, for a fault to bend."""

    text: str
    calls: Sequence[Call]
    stream: bool

    @property
    def cut(self):
        """The beginning of the text."""
        return self.text[:CUT]


@dataclass(frozen=True)
class Case:
    """A fault, where it was seen, and by entry point the word for what has to come of it.

    `again` is the table for a good reply after the fault and `max_retries=1`; without it nothing is retried.
    `calls` is how many parallel tool calls the server means to make, `note` a text among their arguments. `tokens`:
    input, output and total, `()` for none.
    """

    name: str
    source: str
    fault: Callable
    expected: Mapping
    again: Mapping | None = None
    calls: int = 0
    note: str = ""
    surface: str = "ai_studio"
    model: str = "gemini-3.8-flash"
    options: Mapping = field(default_factory=dict)
    messages: Sequence = (HumanMessage("What is it?"),)
    tools: Sequence | None = None
    tokens: tuple | None = None
    thoughts: str = ""

    @property
    def arguments(self):
        """Those of each call."""
        more = {"note": self.note} if self.note else {}
        return [{"a": a, "b": b, **more} for a, b in SUMS[: self.calls]]


@dataclass
class Handed:
    """Whether anything was handed to the caller before the end."""

    out: bool = False


class Cell(NamedTuple):
    """A call that is under way."""

    case: Case
    fake: FakeGemini
    handed: Handed
    future: Future

    def word(self):
        """What comes of it; waits for its end."""
        err = self.future.exception()
        if err is not None:
            part = "part, then " if self.handed.out else ""
            return f"{part}{type(err).__name__}{_count_retries(self.fake)}"
        came = self.future.result()
        # The signature of a call was lost, or there was none.
        stand_in = ", with a stand-in" if self.fake.stand_ins else ""
        return classify(came, self.case) + stand_in + _count_retries(self.fake, came)


def start(pool, case, entry, retries):
    """Put `case` through `entry` with `max_retries=retries`, in a thread of `pool`."""
    fake, handed = FakeGemini(_play(case, entry), surface=case.surface), Handed()
    options = {"api_key": f"fake-{next(_NUMBERS)}", "max_retries": retries, **case.options}
    chat = fake.chat_model(case.model, **options)
    return Cell(case, fake, handed, pool.submit(_ENTRY[entry], chat, case, handed))


def classify(came, case):
    """The word for a message, or for an object."""
    if not isinstance(came, AIMessage):
        good = Sum(**case.arguments[0]) if case.calls else Answer(value=42, unit="km")
        return "right" if came == good else f"wrong object {came!r}"
    blocks = [block["type"] for block in came.content_blocks]
    if "refusal" in blocks:
        return "cut text, refusal block" if came.text else "refusal block"
    if came.invalid_tool_calls:
        return "invalid call"
    if came.tool_calls:
        return _classify_calls(came, case)
    if not came.text:
        return EMPTY if set(blocks) <= {"reasoning", "text"} else f"wrong blocks {blocks}"
    return _classify_text(came, case)


def _classify_text(message, case):
    reason = message.response_metadata.get("finish_reason")
    if message.text == TEXT and reason == "stop":
        return _check_rest(message, case)
    if message.text == TEXT:
        return f"right, finish reason {reason}"
    return f"{'cut' if TEXT.startswith(message.text) else 'wrong'} text, finish reason {reason}"


def _classify_calls(message, case):
    ids = {call["id"] for call in message.tool_calls}
    seen = [(call["name"], call["args"]) for call in message.tool_calls]
    if seen != [("add", arguments) for arguments in case.arguments]:
        return f"wrong calls {seen}"
    if len(ids) < len(seen) or not all(ids):
        return "right calls without ids of their own"
    if message.response_metadata.get("finish_reason") != "tool_calls":
        return f"right calls, finish reason {message.response_metadata.get('finish_reason')}"
    return _check_rest(message, case)


def _check_rest(message, case):
    """Thoughts and token counts, where the case names them."""
    thoughts = "".join(block["reasoning"] for block in message.content_blocks if block["type"] == "reasoning")
    if thoughts != case.thoughts:
        return f"right, wrong thoughts {thoughts!r}"
    usage = message.usage_metadata or {}
    tokens = tuple(usage[key] for key in ("input_tokens", "output_tokens", "total_tokens") if key in usage)
    return "right" if case.tokens in (None, tokens) else f"right, wrong tokens {tokens}"


def _count_retries(fake, came=None):
    """A retry sends the same bytes again; the message that comes of it has to tell so."""
    bodies = [json.dumps(request.body, sort_keys=True) for request in fake.requests]
    retries = len(bodies) - len(set(bodies))
    word = f" after {retries} {'retry' if retries == 1 else 'retries'}" if retries else ""
    told = came.response_metadata.get("retries", 0) if isinstance(came, AIMessage) else retries
    # An agent's last message tells of the last step alone.
    return word if told == retries or len(set(bodies)) > 1 else f"{word}, and tells of {told}"


def _play(case, entry):
    """The fault first; then whatever is right: the calls or the text, and the text again after tool results."""
    turns = count()

    def answer(request):
        text = OBJECT if entry == "structured" else TEXT
        calls = tuple(Call("add", arguments) for arguments in case.arguments)
        if next(turns) == 0:
            return case.fault(Say(text, calls, request.stream))
        if request.messages[-1]["role"] == "tool" or not calls:
            return Reply(text, thoughts=case.thoughts)
        return Reply(calls=calls, thoughts=case.thoughts)

    return answer


def _bound(chat, case):
    tools = [ADD] if case.calls and case.tools is None else case.tools
    return chat if tools is None else chat.bind_tools(tools)


def _invoke(chat, case, handed):
    return _bound(chat, case).invoke([*case.messages])


def _ainvoke(chat, case, handed):
    async def ask():
        return await _bound(chat, case).ainvoke([*case.messages])

    return asyncio.run(ask())


def _stream(chat, case, handed):
    total = None
    for chunk in _bound(chat, case).stream([*case.messages]):
        handed.out = True
        total = chunk if total is None else total + chunk
    return message_chunk_to_message(total)


def _astream(chat, case, handed):
    async def ask():
        total = None
        async for chunk in _bound(chat, case).astream([*case.messages]):
            handed.out = True
            total = chunk if total is None else total + chunk
        return message_chunk_to_message(total)

    return asyncio.run(ask())


def _stream_events(chat, case, handed):
    events = _bound(chat, case).stream_events([*case.messages], version="v3")
    for event in events:
        handed.out = handed.out or "delta" in event["event"]
    return events.output


def _structured(chat, case, handed):
    if case.calls:
        return chat.with_structured_output(Sum, method="function_calling").invoke([*case.messages])
    return chat.with_structured_output(Answer, tools=case.tools).invoke([*case.messages])


def _agent(chat, case, handed):
    return _build_agent(chat, case).invoke({"messages": [*case.messages]})["messages"][-1]


def _agent_stream(chat, case, handed):
    state = {}
    for mode, part in _build_agent(chat, case).stream(
        {"messages": [*case.messages]}, stream_mode=["messages", "values"]
    ):
        if mode == "messages":
            handed.out = True
        else:
            state = part
    return state["messages"][-1]


def _build_agent(chat, case):
    return create_agent(chat, [ADD] if case.tools is None else [*case.tools])


_ENTRY = {
    "invoke": _invoke, "ainvoke": _ainvoke, "stream": _stream, "astream": _astream, "stream_events": _stream_events,
    "structured": _structured, "agent": _agent, "agent_stream": _agent_stream,
}  # fmt: skip

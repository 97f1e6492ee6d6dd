"""Run one fault at one entry point against the fake endpoint, and name the outcome.

The outcome is derived only from the result of the run, never from the expected outcomes. A message without text and
calls has the outcome `empty message`.
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
#: The number of characters after which the fake cuts a text or an object.
CUT = 11
SUMS = ((1, 2), (3, 4))
EMPTY = "empty message"
ENTRIES = ("invoke", "ainvoke", "agent", "stream", "astream", "stream_events", "agent_stream", "structured")
#: A counter for the API keys. Each run has its own key, because clients with the same key share the wait after a 429.
_NUMBERS = count(1)


class Answer(BaseModel):
    """An answer."""

    value: int
    unit: str


Sum = create_model("add", __doc__="Add two numbers.", a=(int, ...), b=(int, ...), note=(str, ""))
ADD = StructuredTool.from_function(lambda a, b, note: a + b, name="add", description=Sum.__doc__, args_schema=Sum)


@dataclass(frozen=True)
class Say:
    """The good reply of the server, from which a fault makes its bad reply."""

    text: str
    calls: Sequence[Call]
    stream: bool

    @property
    def cut(self):
        """The first `CUT` characters of the text."""
        return self.text[:CUT]


@dataclass(frozen=True)
class Case:
    """A fault, its source, and the expected outcome at each entry point.

    Attributes:
        name: The name of the fault on the page `docs/reference/faults.md`.
        source: The URL of a report or page about the fault, or an empty string.
        fault: A function that takes a `Say` and returns the bad reply.
        expected: The outcomes with `max_retries=0`.
        again: The outcomes with `max_retries=1`, if a good reply follows the fault. `None`: the fault is not retried.
        calls: The number of parallel tool calls in the good reply.
        note: The argument `note` of each call. If `note` is empty, the calls have no such argument.
        surface: The surface of the fake.
        model: The model.
        options: More parameters of the chat model.
        messages: The messages that are sent.
        tools: The tools. `None`: the tool `add` if the reply has calls.
        tokens: The expected input, output and total tokens. `()`: the reply has no usage. `None`: not checked.
        thoughts: The expected thoughts.
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
        """The arguments of each call."""
        more = {"note": self.note} if self.note else {}
        return [{"a": a, "b": b, **more} for a, b in SUMS[: self.calls]]


@dataclass
class Delivery:
    """Whether the caller received a part of the reply before the run ended."""

    started: bool = False


class Cell(NamedTuple):
    """A run of one case at one entry point."""

    case: Case
    fake: FakeGemini
    delivery: Delivery
    future: Future

    def outcome(self):
        """Wait for the end of the run, and return its outcome."""
        err = self.future.exception()
        if err is not None:
            part = "part of the reply, then " if self.delivery.started else ""
            return f"{part}{type(err).__name__}{_describe_retries(self.fake)}"
        came = self.future.result()
        # A placeholder signature in a request shows that the signature of a call is missing: it was lost, or never
        # sent.
        placeholder = ", with a placeholder" if self.fake.stand_ins else ""
        return classify(came, self.case) + placeholder + _describe_retries(self.fake, came)


def start(pool, case, entry, retries):
    """Run `case` at `entry` with `max_retries=retries`, in a thread of `pool`."""
    fake, delivery = FakeGemini(_script(case, entry), surface=case.surface), Delivery()
    options = {"api_key": f"fake-{next(_NUMBERS)}", "max_retries": retries, **case.options}
    chat = fake.chat_model(case.model, **options)
    return Cell(case, fake, delivery, pool.submit(_ENTRY[entry], chat, case, delivery))


def classify(came, case):
    """Return the outcome of a run that ended without an exception. `came` is its message, or its structured output."""
    if not isinstance(came, AIMessage):
        good = Sum(**case.arguments[0]) if case.calls else Answer(value=42, unit="km")
        return "correct" if came == good else f"wrong object {came!r}"
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
        return f"correct, finish reason {reason}"
    return f"{'cut' if TEXT.startswith(message.text) else 'wrong'} text, finish reason {reason}"


def _classify_calls(message, case):
    ids = {call["id"] for call in message.tool_calls}
    seen = [(call["name"], call["args"]) for call in message.tool_calls]
    if seen != [("add", arguments) for arguments in case.arguments]:
        return f"wrong calls {seen}"
    if len(ids) < len(seen) or not all(ids):
        return "correct calls without ids of their own"
    if message.response_metadata.get("finish_reason") != "tool_calls":
        return f"correct calls, finish reason {message.response_metadata.get('finish_reason')}"
    return _check_rest(message, case)


def _check_rest(message, case):
    """Return `correct`, or an outcome that names a difference in the thoughts or the token counts."""
    thoughts = "".join(block["reasoning"] for block in message.content_blocks if block["type"] == "reasoning")
    if thoughts != case.thoughts:
        return f"correct, wrong thoughts {thoughts!r}"
    usage = message.usage_metadata or {}
    tokens = tuple(usage[key] for key in ("input_tokens", "output_tokens", "total_tokens") if key in usage)
    return "correct" if case.tokens in (None, tokens) else f"correct, wrong tokens {tokens}"


def _describe_retries(fake, came=None):
    """Return the number of retries in words. If the message `came` reports another number, append that number.

    A request is a retry if its body equals the body of an earlier request.
    """
    bodies = [json.dumps(request.body, sort_keys=True) for request in fake.requests]
    retries = len(bodies) - len(set(bodies))
    word = f" after {retries} {'retry' if retries == 1 else 'retries'}" if retries else ""
    told = came.response_metadata.get("retries", 0) if isinstance(came, AIMessage) else retries
    # If the bodies differ, an agent has sent several requests. Its last message counts only the retries of the last
    # request, so the two numbers are not compared.
    return word if told == retries or len(set(bodies)) > 1 else f"{word}, and reports {told}"


def _script(case, entry):
    """Return a function that answers with the fault first, and then with good replies."""
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


def _bind_tools(chat, case):
    tools = [ADD] if case.calls and case.tools is None else case.tools
    return chat if tools is None else chat.bind_tools(tools)


def _invoke(chat, case, delivery):
    return _bind_tools(chat, case).invoke([*case.messages])


def _ainvoke(chat, case, delivery):
    async def ask():
        return await _bind_tools(chat, case).ainvoke([*case.messages])

    return asyncio.run(ask())


def _stream(chat, case, delivery):
    total = None
    for chunk in _bind_tools(chat, case).stream([*case.messages]):
        delivery.started = True
        total = chunk if total is None else total + chunk
    return message_chunk_to_message(total)


def _astream(chat, case, delivery):
    async def ask():
        total = None
        async for chunk in _bind_tools(chat, case).astream([*case.messages]):
            delivery.started = True
            total = chunk if total is None else total + chunk
        return message_chunk_to_message(total)

    return asyncio.run(ask())


def _stream_events(chat, case, delivery):
    events = _bind_tools(chat, case).stream_events([*case.messages], version="v3")
    for event in events:
        delivery.started = delivery.started or "delta" in event["event"]
    return events.output


def _structured(chat, case, delivery):
    if case.calls:
        return chat.with_structured_output(Sum, method="function_calling").invoke([*case.messages])
    return chat.with_structured_output(Answer, tools=case.tools).invoke([*case.messages])


def _agent(chat, case, delivery):
    return _build_agent(chat, case).invoke({"messages": [*case.messages]})["messages"][-1]


def _agent_stream(chat, case, delivery):
    state = {}
    for mode, part in _build_agent(chat, case).stream(
        {"messages": [*case.messages]}, stream_mode=["messages", "values"]
    ):
        if mode == "messages":
            delivery.started = True
        else:
            state = part
    return state["messages"][-1]


def _build_agent(chat, case):
    return create_agent(chat, [ADD] if case.tools is None else [*case.tools])


_ENTRY = {
    "invoke": _invoke, "ainvoke": _ainvoke, "stream": _stream, "astream": _astream, "stream_events": _stream_events,
    "structured": _structured, "agent": _agent, "agent_stream": _agent_stream,
}  # fmt: skip

"""`demo`: a LangChain agent at work, shown as it streams, and after it what went over the wire."""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from pydantic import SecretStr

from langchain_gemini_compat.cli._options import PLACEHOLDER_KEY, UsageError, add_target_arguments, read_target
from langchain_gemini_compat.cli._terminal import Screen

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import httpx2
    from langchain_core.messages import BaseMessage

    from langchain_gemini_compat import ChatGeminiCompat
    from langchain_gemini_compat.cli._options import Target
    from langchain_gemini_compat.cli._wire_log import WireLog

#: Seconds between two pieces, so that an eye can follow what the fake endpoint sends at once.
_PIECE_SECONDS = 0.03
_EXPLANATION = "A request whose signatures were lost or altered would have been refused."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `demo`."""
    add_target_arguments(parser)
    parser.add_argument("--live", action="store_true", help="ask Google, with your credentials; costs a few tokens")


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Run the agent once; 0 when it came to an answer."""
    from langchain_gemini_compat.cli._wire_log import WireLog

    target, log = read_target(args), WireLog()
    if args.live:
        return _show(target, screen, log)
    if target.base_url or target.surface == "openai_compatible":
        raise UsageError("The demo brings its own endpoint, Vertex AI's or AI Studio's. Add --live to use another.")
    with _serve(target) as served:
        return _show(served, screen, log, on_stage=True)


@contextlib.contextmanager
def _serve(target: Target) -> Generator[Target]:
    """The fake endpoint of the target's surface on a port of this machine, and the target that leads there."""
    from langchain_gemini_compat.cli._demo_agent import script
    from langchain_gemini_compat.testing import FakeGemini

    surface = target.surface or "vertex"
    with FakeGemini(script(), surface=surface).serve() as base_url:
        yield replace(target, surface=surface, base_url=base_url, api_key=SecretStr(PLACEHOLDER_KEY))


def _show(target: Target, screen: Screen, log: WireLog, *, on_stage: bool = False) -> int:
    """Run the agent; `on_stage` the endpoint is the demo's own, beside us, and answers faster than an eye reads."""
    with log.open_client(trust_env=not on_stage) as client:
        model = _build_model(target, client)
        return _run_agent(model, screen, log, seconds=_PIECE_SECONDS if on_stage else 0.0)


def _run_agent(model: ChatGeminiCompat, screen: Screen, log: WireLog, *, seconds: float) -> int:
    from langchain_gemini_compat.cli._demo_agent import QUESTION
    from langchain_gemini_compat.cli._terminal import Transcript
    from langchain_gemini_compat.cli._wire_log import COLUMNS

    info = model.endpoint_info()
    screen.line(f"{info['model']} at {info['base_url']}", "dim")
    transcript = Transcript(screen)
    transcript.entry("you", QUESTION)
    replies: list[AIMessage] = []
    try:
        for kind, text, key in _pieces(model, replies):
            transcript.piece(kind, text, key)
            screen.pause(seconds)
    finally:
        transcript.end()
        screen.line()
        screen.table(COLUMNS, log.rows(replies))
        explanation = f" {_EXPLANATION}" if log.verified else ""
        screen.line(f"Retries: {log.retries(replies)}. Stand-ins for signatures: {log.stand_ins}.{explanation}")
    return 0 if replies and not replies[-1].tool_calls else 1


def _build_model(target: Target, client: httpx2.Client) -> ChatGeminiCompat:
    model = target.build_model(http_client=client, include_thoughts=True)
    if model.endpoint_info()["surface"] == "vertex":
        # AI Studio has no such switch.
        model = model.model_copy(update={"stream_function_call_arguments": True})
    return model


def _pieces(model: ChatGeminiCompat, replies: list[AIMessage]) -> Iterator[tuple[str, str, object]]:
    """What the agent does, piece by piece, as (kind, text, key); finished replies go to `replies`."""
    from langchain.agents import create_agent

    from langchain_gemini_compat.cli._demo_agent import QUESTION, TOOLS

    agent = create_agent(model, tools=[*TOOLS])
    question = HumanMessage(QUESTION)
    for mode, data in agent.stream({"messages": [question]}, stream_mode=["messages", "updates"]):
        if mode == "messages":
            message = cast("BaseMessage", data[0])
            if isinstance(message, AIMessageChunk):
                yield from _chunk_pieces(message)
            elif isinstance(message, ToolMessage):
                yield "result", f"{message.name}: {message.text}", message.tool_call_id
        else:
            replies += _finished(cast("dict[str, dict[str, list[BaseMessage]]]", data))


def _chunk_pieces(chunk: AIMessageChunk) -> Iterator[tuple[str, str, object]]:
    yield "thinking", str(chunk.additional_kwargs.get("reasoning_content") or ""), None
    yield "answer", chunk.text, None
    for call in chunk.tool_call_chunks:
        name = f"{call['name']} " if call["name"] else ""
        yield "call", f"{name}{call['args'] or ''}", (chunk.id, call["index"])


def _finished(update: dict[str, dict[str, list[BaseMessage]]]) -> Iterator[AIMessage]:
    for state in update.values():
        yield from (message for message in state.get("messages", ()) if isinstance(message, AIMessage))

"""`demo`: runs a LangChain agent with tools, prints its stream, and then prints a table of its requests."""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import replace
from importlib.metadata import metadata
from typing import TYPE_CHECKING, cast

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from pydantic import SecretStr

from langchain_gemini_compat.cli._options import PLACEHOLDER_KEY, UsageError, add_target_arguments, read_target
from langchain_gemini_compat.cli._parser import PROGRAM
from langchain_gemini_compat.cli._terminal import Screen

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import httpx2
    from langchain_core.messages import BaseMessage

    from langchain_gemini_compat import ChatGeminiCompat
    from langchain_gemini_compat.cli._options import Target
    from langchain_gemini_compat.cli._wire_log import WireLog

#: Pause after each printed piece of text, in seconds. The fake endpoint sends text faster than anyone can read.
_PIECE_SECONDS = 0.03
_EXPLANATION = "The server would have refused a request with a lost or changed signature."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `demo`."""
    add_target_arguments(parser)
    parser.add_argument("--live", action="store_true", help="call a real model; uses your credentials and a few tokens")


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Run the agent once; return 0 if it has answered."""
    from langchain_gemini_compat.cli._wire_log import WireLog

    target, log = read_target(args), WireLog()
    if args.live:
        return _show(target, screen, log)
    if target.base_url or target.surface == "openai_compatible":
        raise UsageError(
            "`--base-url` and surface `openai_compatible` need a real server, and the demo uses its own fake one. Add "
            "--live to connect to your server."
        )
    with _serve(target) as served:
        return _show(served, screen, log, is_offline=True)


@contextlib.contextmanager
def _serve(target: Target) -> Generator[Target]:
    """Serve a fake endpoint on this machine for the surface of `target`. Yield `target` with the fake's URL."""
    from langchain_gemini_compat.cli._demo_agent import script
    from langchain_gemini_compat.testing import FakeGemini

    surface = target.surface or "vertex"
    with FakeGemini(script(), surface=surface).serve() as base_url:
        yield replace(target, surface=surface, base_url=base_url, api_key=SecretStr(PLACEHOLDER_KEY))


def _show(target: Target, screen: Screen, log: WireLog, *, is_offline: bool = False) -> int:
    """Run the agent. An offline demo uses no proxy, and prints its text slowly."""
    with log.open_client(trust_env=not is_offline) as client:
        model = _build_model(target, client)
        return _run_agent(model, screen, log, seconds=_PIECE_SECONDS if is_offline else 0.0)


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
        screen.line()
        explanation = f" {_EXPLANATION}" if log.verified else ""
        screen.line(f"Retries: {log.retries(replies)}. Placeholder signatures: {log.placeholders}.{explanation}")
    if not replies or replies[-1].tool_calls:
        return 1
    screen.line()
    screen.line(f"Next: run `langchain-gemini-compat doctor` to check your own setup. The docs: {locate_docs()}.")
    return 0


def locate_docs() -> str:
    """Return the URL of the docs from the metadata of the package, or their path in a clone."""
    urls = cast("list[str]", metadata(PROGRAM).get_all("Project-URL") or [])
    named = dict(url.split(", ", 1) for url in urls)
    return named.get("Documentation", "docs/index.md in the clone")


def _build_model(target: Target, client: httpx2.Client) -> ChatGeminiCompat:
    model = target.build_model(http_client=client, include_thoughts=True)
    if model.endpoint_info()["surface"] == "vertex":
        # Only Vertex AI can stream the arguments of calls.
        model = model.model_copy(update={"stream_function_call_arguments": True})
    return model


def _pieces(model: ChatGeminiCompat, replies: list[AIMessage]) -> Iterator[tuple[str, str, object]]:
    """Run the agent, and yield each piece of its output as the arguments of `Transcript.piece`.

    Append each complete message of the model to `replies`.
    """
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
            replies += _complete_messages(cast("dict[str, dict[str, list[BaseMessage]]]", data))


def _chunk_pieces(chunk: AIMessageChunk) -> Iterator[tuple[str, str, object]]:
    yield "thinking", str(chunk.additional_kwargs.get("reasoning_content") or ""), None
    yield "answer", chunk.text, None
    for call in chunk.tool_call_chunks:
        name = f"{call['name']} " if call["name"] else ""
        yield "call", f"{name}{call['args'] or ''}", (chunk.id, call["index"])


def _complete_messages(update: dict[str, dict[str, list[BaseMessage]]]) -> Iterator[AIMessage]:
    for state in update.values():
        yield from (message for message in state.get("messages", ()) if isinstance(message, AIMessage))

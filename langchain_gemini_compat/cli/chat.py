"""`chat`: a streamed conversation with a model on standard input and output. An error ends one turn, not the chat."""

from __future__ import annotations

import argparse
import contextlib
import sys
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages.ai import add_usage
from langchain_core.messages.utils import message_chunk_to_message

from langchain_gemini_compat.cli._options import add_target_arguments, read_target
from langchain_gemini_compat.cli._terminal import Screen
from langchain_gemini_compat.errors import GeminiCompatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages import AIMessageChunk
    from langchain_core.messages.ai import UsageMetadata

    from langchain_gemini_compat import ChatGeminiCompat

_HELP = "/reset starts a new conversation, /usage counts tokens, /quit or Ctrl-D ends the chat."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `chat`."""
    add_target_arguments(parser)
    parser.add_argument("--system", metavar="TEXT", help="a system message")
    parser.add_argument("--no-thoughts", action="store_true", help="do not request thoughts")


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Answer each line until the input ends; return 1 if the input is not a terminal and a turn failed."""
    target = read_target(args)
    model = target.build_model()
    endpoint = model.endpoint_info()
    if endpoint["surface"] != "openai_compatible" and not args.no_thoughts:
        model = target.build_model(include_thoughts=True)
    chat = _Chat(model, screen, cast("str | None", args.system))
    is_interactive = sys.stdin.isatty()
    if is_interactive:
        screen.line(f"{endpoint['model']} on {endpoint['surface']}. {_HELP}", "dim")
    for line in _read_lines(is_interactive=is_interactive):
        if line == "/quit":
            break
        chat.process(line)
    return 0 if is_interactive or not chat.failures else 1


@dataclass(slots=True)
class _Chat:
    """A conversation: its messages and the tokens that it has used."""

    model: ChatGeminiCompat
    screen: Screen
    system: str | None
    messages: list[BaseMessage] = field(default_factory=list)
    usage: UsageMetadata | None = None
    failures: int = 0

    def process(self, line: str) -> None:
        """Run a command such as `/usage`, or answer the line."""
        if line == "/reset":
            self.messages.clear()
            self.screen.line("A new conversation starts.", "dim")
        elif line == "/usage":
            self.screen.line(_describe_usage(self.usage), "dim")
        elif line.startswith("/"):
            self.screen.line(_HELP, "dim")
        elif line:
            self._answer(line)

    def _answer(self, line: str) -> None:
        question = HumanMessage(line)
        system = [SystemMessage(self.system)] if self.system else []
        try:
            reply = self._stream([*system, *self.messages, question])
        except GeminiCompatError as err:
            self.failures += 1
            self.screen.line(f"error: {' '.join(str(err).split())}", "red")
            return
        except KeyboardInterrupt:
            self.screen.line("(stopped)", "dim")
            return
        self.messages += [question, reply]
        self.usage = add_usage(self.usage, reply.usage_metadata)

    def _stream(self, messages: list[BaseMessage]) -> AIMessage:
        from langchain_gemini_compat.cli._terminal import Transcript

        transcript = Transcript(self.screen)
        total: AIMessageChunk | None = None
        try:
            for chunk in self.model.stream(messages):
                total = chunk if total is None else total + chunk
                transcript.piece("thinking", str(chunk.additional_kwargs.get("reasoning_content") or ""))
                transcript.piece("answer", chunk.text)
                transcript.piece("note", str(chunk.additional_kwargs.get("refusal") or ""))
        finally:
            transcript.end()
        return cast("AIMessage", message_chunk_to_message(total)) if total else AIMessage("")


def _read_lines(*, is_interactive: bool) -> Iterator[str]:
    if is_interactive:
        with contextlib.suppress(ImportError):
            # Enables arrow keys and history, if the platform supports them.
            import_module("readline")
    while True:
        try:
            line = input("you       " if is_interactive else "")
        except (EOFError, KeyboardInterrupt):
            return
        yield line.strip()


def _describe_usage(usage: UsageMetadata | None) -> str:
    if usage is None:
        return "No tokens have been used yet."
    thoughts = (usage.get("output_token_details") or {}).get("reasoning", 0)
    cached = (usage.get("input_token_details") or {}).get("cache_read", 0)
    return (
        f"{usage['input_tokens']} tokens in ({cached} cached), {usage['output_tokens']} out ({thoughts} thoughts), "
        f"{usage['total_tokens']} in total."
    )

"""`chat`: a streamed conversation with a model on standard input and output, or one answer with `-p`.

In a conversation, an error ends only the current turn, and the chat continues.
"""

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

from langchain_gemini_compat.cli._one_answer import print_json, print_text, report_ending
from langchain_gemini_compat.cli._options import UsageError, add_target_arguments, known_secrets, read_target
from langchain_gemini_compat.cli._terminal import Screen, Transcript
from langchain_gemini_compat.errors import GeminiCompatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages import AIMessageChunk
    from langchain_core.messages.ai import UsageMetadata

    from langchain_gemini_compat import ChatGeminiCompat
    from langchain_gemini_compat.cli._options import Target

_HELP = "/reset starts a new conversation, /usage counts tokens, /quit or Ctrl-D ends the chat."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `chat`."""
    add_target_arguments(parser)
    parser.add_argument(
        "-p",
        "--prompt",
        metavar="TEXT",
        help="print one answer and exit; - as TEXT reads the prompt from standard input",
    )
    parser.add_argument("--json", action="store_true", help="with -p: one JSON object instead of text")
    parser.add_argument("--system", metavar="TEXT", help="a system message")
    parser.add_argument(
        "--no-thoughts", action="store_true", help="do not request thoughts; with -p, none are requested anyway"
    )


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Answer one prompt, or each line until the input ends.

    Returns:
        1 if the model refused the prompt, or if a turn failed and the input is not a terminal. Otherwise 0.
    """
    target, errors = read_target(args), Screen(sys.stderr, known_secrets(args))
    system: list[BaseMessage] = [SystemMessage(str(args.system))] if args.system else []
    if args.prompt is not None:
        question = HumanMessage(_read_prompt(str(args.prompt)))
        answer = print_json if args.json else print_text
        return report_ending(answer(target.build_model(), [*system, question], screen), errors)
    if args.json:
        raise UsageError("--json needs a prompt: add -p TEXT, or -p - to read the prompt from standard input.")
    return _converse(_build_model(target, thoughts=not args.no_thoughts), system, screen, errors)


def _converse(model: ChatGeminiCompat, system: list[BaseMessage], screen: Screen, errors: Screen) -> int:
    is_interactive = sys.stdin.isatty()
    chat = _Chat(model, screen, errors, system, is_interactive=is_interactive)
    if is_interactive:
        endpoint = model.endpoint_info()
        screen.line(f"{endpoint['model']} on {endpoint['surface']}. {_HELP}", "dim")
    for line in _read_lines(is_interactive=is_interactive):
        if line == "/quit":
            break
        chat.process(line)
    return 0 if is_interactive or not chat.failures else 1


def _build_model(target: Target, *, thoughts: bool) -> ChatGeminiCompat:
    model = target.build_model()
    if thoughts and model.endpoint_info()["surface"] != "openai_compatible":
        return target.build_model(include_thoughts=True)
    return model


def _read_prompt(text: str) -> str:
    prompt = sys.stdin.read().rstrip("\n") if text == "-" else text
    if not prompt.strip():
        raise UsageError("The prompt is empty.")
    return prompt


@dataclass(slots=True)
class _Chat:
    """A conversation: its messages and the tokens that it has used."""

    model: ChatGeminiCompat
    screen: Screen
    errors: Screen
    system: list[BaseMessage]
    is_interactive: bool
    messages: list[BaseMessage] = field(default_factory=list)
    usage: UsageMetadata | None = None
    failures: int = 0

    def process(self, line: str) -> None:
        """Run the line if it is a command such as `/usage`. Send any other line to the model."""
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
        try:
            reply = self._stream([*self.system, *self.messages, question])
        except GeminiCompatError as err:
            self.failures += 1
            self.errors.line(f"error: {' '.join(str(err).split())}", "red")
            return
        except KeyboardInterrupt:
            if not self.is_interactive:
                raise
            self.screen.line("(stopped)", "dim")
            return
        self.messages += [question, reply]
        self.usage = add_usage(self.usage, reply.usage_metadata)

    def _stream(self, messages: list[BaseMessage]) -> AIMessage:
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
            # Importing `readline` enables arrow keys and history, if the platform supports them.
            import_module("readline")
    while True:
        try:
            line = input("you       " if is_interactive else "")
        except EOFError:
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

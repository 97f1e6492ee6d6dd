"""The command `langchain-gemini-compat`: arguments to one of its subcommands, and what happened to an exit code.

0 all is well, 1 it failed, 2 it makes no sense as asked for or the extra `cli` is missing, 130 Ctrl-C, 141 nobody
reads the output any more.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Protocol, cast

from langchain_gemini_compat.cli._options import UsageError, known_secrets
from langchain_gemini_compat.cli._terminal import Screen
from langchain_gemini_compat.errors import GeminiCompatError, GeminiCompatWarning

_EXTRA = ("langchain", "rich", "uvicorn")
_COMMANDS = {
    "demo": "an agent with tools, streamed, and what went over the wire; needs no key and no network",
    "doctor": "what is set up, what is wrong with it, and the command that mends it",
    "chat": "a conversation, line by line",
    "fake": "the offline endpoint as a server",
}


class _Command(Protocol):
    """What a module of a subcommand has."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options of the subcommand."""
        ...

    def run(self, args: argparse.Namespace, screen: Screen) -> int:
        """Do it, saying on `screen` what happens; the exit code."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv` (default: the process's arguments); returns the exit code."""
    parser = _build_parser()
    # Left over arguments are named here, not by argparse: it would repeat a key that somebody typed.
    args, unknown = parser.parse_known_args(argv)
    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        print(
            f"The command needs {', '.join(missing)}: run `pip install {' '.join(missing)}`.",
            file=sys.stderr,
        )
        return 2
    if unknown:
        parser.error(_name_unknown(unknown))
    if args.command is None:
        parser.print_help()
        return 2
    return _run(args)


def _run(args: argparse.Namespace) -> int:
    from langchain_gemini_compat.cli._terminal import Screen, tolerate_encodings

    tolerate_encodings()
    secrets = known_secrets(args)
    errors = Screen(sys.stderr, secrets)
    try:
        with warnings.catch_warnings():
            _show_warnings_as_notes(errors)
            code = _load(cast("str", args.command)).run(args, Screen(sys.stdout, secrets))
            sys.stdout.flush()
            return code
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The interpreter flushes once more at its end: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (UsageError, GeminiCompatError) as err:
        errors.line(f"error: {err}", "red")
        return 2 if isinstance(err, UsageError) else 1
    except _refusals_of_settings() as err:
        errors.line(f"error: {err} ({type(err).__name__}). Check URLs, proxy settings and certificates.", "red")
        return 1


def _refusals_of_settings() -> tuple[type[Exception], ...]:
    """What Python and the HTTP library raise at an address, a proxy or a file that makes no sense to them."""
    from langchain_gemini_compat._lazy import library_name

    return ValueError, OSError, cast("type[Exception]", import_module(library_name()).InvalidURL)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="langchain-gemini-compat",
        description="Gemini behind Google's OpenAI-compatible API, for LangChain: try it and find out what is wrong.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('langchain-gemini-compat')}")
    commands = parser.add_subparsers(dest="command", metavar="{demo,doctor,chat,fake}")
    for name, text in _COMMANDS.items():
        # Abbreviations would take `--api-key` for `--api-key-env`, and a key for the name of a variable.
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        _load(name).add_arguments(command)
    return parser


def _load(name: str) -> _Command:
    return cast("_Command", import_module(f"langchain_gemini_compat.cli.{name}"))


def _name_unknown(arguments: Sequence[str]) -> str:
    names = [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]
    text = f"unknown options: {' '.join(names)}" if names else "arguments that this command does not take"
    hint = " (a key is never given on the command line: put it into a variable and name that with --api-key-env)"
    return text + (hint if any("key" in name for name in names) else "")


def _show_warnings_as_notes(screen: Screen) -> None:
    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        if issubclass(category, GeminiCompatWarning):
            screen.line(f"note: {message}", "yellow")

    warnings.simplefilter("default", GeminiCompatWarning)
    warnings.showwarning = show

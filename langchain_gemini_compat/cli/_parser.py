"""The parser of the command line. Each subcommand is a module of this package."""

from __future__ import annotations

import argparse
import sys
import textwrap
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, NoReturn, Protocol, cast

from langchain_gemini_compat.cli._terminal import NARROW, Screen, read_width

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "langchain-gemini-compat"
COMMANDS = {
    "demo": "run an agent with tools and show its requests; needs no key and no network",
    "doctor": "check the setup, and print the steps that fix it",
    "chat": "chat with a model, line by line, or get one answer with -p",
    "bulk": "send all rows of a file to a model; if it stops, run it again to send the missing rows",
    "verify": "check the claims of this package against a server, with one or two requests for each",
    "record": "run a command, and record its HTTP exchanges without secrets, for a bug report",
    "fake": "serve the offline endpoint",
    "completion": "print the completion script of a shell",
}


class Command(Protocol):
    """The functions that the module of a subcommand has to define."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options of the subcommand."""
        ...

    def run(self, args: argparse.Namespace, screen: Screen) -> int:
        """Run the subcommand, print to `screen`, and return the exit code."""
        ...


class Parser(argparse.ArgumentParser):
    """An argument parser that can list its arguments, and that wraps help texts only between words."""

    @property
    def arguments(self) -> Sequence[argparse.Action]:
        """All options and positional arguments, including those of argument groups."""
        return self._actions

    def format_usage(self) -> str:
        """Return the command's usage text. In a narrow terminal, the text begins on a line of its own."""
        return _break_usage(super().format_usage())

    def format_help(self) -> str:
        """Return the help, with the usage as in `format_usage`."""
        return _break_usage(super().format_help())

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error to standard error, and exit with 2."""
        self.print_usage(sys.stderr)
        Screen(sys.stderr).line(f"error: {message}", "red")
        self.exit(2)


class _HelpFormatter(argparse.HelpFormatter):
    """Wraps texts between words. argparse cuts long words, and wraps at hyphens, as in `--api-key-env`."""

    def __init__(self, prog: str) -> None:
        width = read_width() - 2
        super().__init__(prog, max_help_position=24 if width >= NARROW else 6, width=width)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in self._split_lines(text, width - len(indent)))


def build_parser() -> Parser:
    """Return the parser of the command with all subcommands."""
    parser = Parser(
        prog=PROGRAM,
        description="Gemini behind Google's OpenAI-compatible API, for LangChain: try it, and check your setup.",
        allow_abbrev=False,
        formatter_class=_HelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version(PROGRAM)}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, text in COMMANDS.items():
        # Without `allow_abbrev=False`, argparse would read `--api-key KEY` as `--api-key-env KEY`.
        command = commands.add_parser(
            name, help=text, description=text, allow_abbrev=False, formatter_class=_HelpFormatter
        )
        load_command(name).add_arguments(command)
    return parser


def _break_usage(text: str) -> str:
    return text if read_width() >= NARROW else text.replace("usage: ", "usage:\n  ", 1)


def load_command(name: str) -> Command:
    """Import the module of a subcommand."""
    return cast("Command", import_module(f"langchain_gemini_compat.cli.{name}"))

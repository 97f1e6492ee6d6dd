"""Output of the commands, with styles on a terminal and as plain text elsewhere.

All output goes through `Screen`, which removes control codes and known secrets.
"""

from __future__ import annotations

import io
import os
import re
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

#: C0 without tab and newline, DEL and C1. Text of a model or a server must not control the terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LABEL_WIDTH = 10
_SHORTEST_SECRET = 8
_PLAIN_WIDTH = 110
_STYLES = {
    "you": "bold",
    "thinking": "dim italic",
    "call": "cyan",
    "result": "green",
    "answer": "",
    "error": "red",
    "note": "yellow",
}


class Screen:
    """Prints to standard output or standard error. `live` is whether the stream is a terminal."""

    def __init__(self, stream: TextIO, secrets: Iterable[str] = ()) -> None:
        """Create the screen. `secrets` are printed as `***`."""
        self.live: bool = stream.isatty()
        self._secrets: list[str] = []
        self._console = _open_console(stream, live=self.live)
        for secret in secrets:
            self.hide(secret)

    def hide(self, secret: str) -> None:
        """Print `secret` as `***` from now on. Short values are ignored, because they may be ordinary words."""
        if len(secret) >= _SHORTEST_SECRET:
            self._secrets.append(secret)

    def line(self, text: str = "", style: str = "") -> None:
        """Print `text` and a line end."""
        self._put(text, style, end="\n")

    def piece(self, text: str, style: str = "") -> None:
        """Print `text` immediately, without a line end."""
        self._put(text, style, end="")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table with headings."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(self.clean(cell)) for cell in row))
        self._console.print(table)

    def pause(self, seconds: float) -> None:
        """Wait if the output is a terminal."""
        if self.live:
            time.sleep(seconds)

    def clean(self, text: str) -> str:
        """Return `text` without control codes, with `***` in place of secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return _CONTROL.sub("", text)

    def _put(self, text: str, style: str, end: str) -> None:
        from rich.text import Text

        self._console.print(Text(self.clean(text), style=style), end=end, soft_wrap=True)


@dataclass(slots=True)
class Transcript:
    """Prints a conversation as it arrives. A label marks where another speaker or tool call begins."""

    screen: Screen
    _now: tuple[str, object] | None = None
    _after_newline: bool = field(default=False)

    def piece(self, kind: str, text: str, key: object = None) -> None:
        """Print more text of `kind`, a key of `_STYLES`. `key` identifies a tool call."""
        if not text:
            return
        if self._now != (kind, key):
            self.end()
            self.screen.piece(kind.ljust(_LABEL_WIDTH), "bold")
            self._now = (kind, key)
            text = text.lstrip("\n")
        # A line end is printed only when more text follows, so that no empty line precedes the next label.
        if self._after_newline and text:
            self.screen.piece("\n" + " " * _LABEL_WIDTH)
            self._after_newline = False
        if text.endswith("\n"):
            text, self._after_newline = text.rstrip("\n"), True
        self.screen.piece(text.replace("\n", "\n" + " " * _LABEL_WIDTH), _STYLES.get(kind, ""))

    def entry(self, kind: str, text: str) -> None:
        """Print a complete entry."""
        self.piece(kind, text or "(nothing)")
        self.end()

    def end(self) -> None:
        """End the current line."""
        if self._now is not None:
            self.screen.line()
        self._now, self._after_newline = None, False


def tolerate_encodings() -> None:
    """Print `?` for characters that the terminal's encoding lacks, instead of raising an exception."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _open_console(stream: TextIO, *, live: bool) -> Console:
    from rich.console import Console

    class PipeConsole(Console):
        """A console that raises `BrokenPipeError`. The base class would end the process."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    plain = not live or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return PipeConsole(
        file=stream,
        color_system=None if plain else "auto",
        width=None if live else _PLAIN_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
    )

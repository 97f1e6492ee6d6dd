"""Output of the commands: styled and wrapped at words on a terminal, plain text elsewhere.

All output goes through `Screen`, which removes control codes and known secrets.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
import textwrap
import time
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

#: Control characters: C0 without tab and newline, DEL, and C1. They are removed, because text of a model or a server
#: must not control the terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: The terminal code of each style ("select graphic rendition", ECMA-48).
_CODES = {"bold": "1", "dim": "2", "italic": "3", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_LABEL_WIDTH = 10
_SHORTEST_SECRET = 8
_NARROWEST = 20
#: Width of a progress bar, in columns of the terminal.
_BAR = 10
#: If the terminal has fewer columns, help and examples have a layout for narrow terminals.
NARROW = 60
#: If a table is printed as a list, columns of a row that are at most this wide share one line.
_SHORT_COLUMN = 8
_STYLES = {
    "you": "bold",
    "thinking": "dim italic",
    "call": "cyan",
    "result": "green",
    "answer": "",
    "error": "red",
    "note": "yellow",
}
_TOKEN = re.compile(r"\n|[^\S\n]+|\S+")
#: Matches the position between two fields of compact JSON, where a line may be broken.
_JSON_BREAK = re.compile(r'(?<=,)(?=")')
#: A word of a shell command. A word may contain quoted text with spaces.
_SHELL_WORD = re.compile(r"""(?:"[^"]*"|'[^']*'|[^\s"'])+""")


def draw_bar(done: int, count: int) -> str:
    """Return a progress bar.

    >>> draw_bar(1, 4), draw_bar(0, 0)
    ('[##--------] 25%', '[##########] 100%')
    """
    share = done / count if count else 1.0
    full = int(share * _BAR)
    return f"[{'#' * full}{'-' * (_BAR - full)}] {share:.0%}"


class Screen:
    """Prints to standard output or standard error.

    Attributes:
        live: Whether the stream is a terminal.
        width: The width in columns, from the terminal or from the variable `COLUMNS`. `None` if neither has a width.
    """

    def __init__(self, stream: TextIO, secrets: Iterable[str] = ()) -> None:
        """Create the screen. `secrets` are printed as `***`."""
        self.live: bool = stream.isatty()
        self.width: int | None = read_width() if self.live or "COLUMNS" in os.environ else None
        self._secrets: list[str] = []
        self._stream = stream
        self._has_styles = self.live and _accepts_styles()
        self._wrap = _WordWrap(self._write, self.width) if self.width else None
        for secret in secrets:
            self.hide(secret)

    def hide(self, secret: str) -> None:
        """Print `secret` as `***` from now on. Short values are ignored, because they may be ordinary words."""
        if len(secret) >= _SHORTEST_SECRET:
            self._secrets.append(secret)

    def line(self, text: str = "", style: str = "", indent: int = 0) -> None:
        """Print `text` and a line end. If the text is wrapped, its further lines begin with `indent` spaces."""
        self.piece(f"{text}\n", style, indent)

    def piece(self, text: str, style: str = "", indent: int = 0) -> None:
        """Print `text` without a line end. On a terminal, its last word is held back until the word is complete."""
        put = self._wrap.put if self._wrap else self._put
        put(self.clean(text), style, indent)
        self._stream.flush()

    def status(self, text: str) -> None:
        """Show `text` on the current line of a terminal until the next call. An empty text clears the line."""
        width = (self.width or _NARROWEST) - 1
        self._stream.write(f"\r{self.clean(text)[:width]:<{width}}" + ("" if text else "\r"))
        self._stream.flush()

    def verbatim(self, text: str) -> None:
        """Print `text`, such as JSON or an answer for another program, without styles or added line ends."""
        self._stream.write(self.clean(text))
        self._stream.flush()

    def command(self, text: str, label: str = "") -> None:
        """Print a shell command after `label`. A narrow terminal gets several lines that can still be pasted."""
        indent = len(label)
        if self.width is None or indent + len(text) <= self.width or os.name == "nt":
            self.verbatim(f"{label}{text}\n")
            return
        command, mark, comment = text.partition("   # ")
        lines = list(_continue_command(command, self.width - indent))
        if mark:
            lines += textwrap.wrap(
                f"# {comment}",
                self.width - indent,
                subsequent_indent="# ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        self.verbatim(label + f"\n{' ' * indent}".join(lines) + "\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table with headings, or a list if the table is wider than the terminal.

        In the list, the first two cells of a row are its title.
        """
        grid = [[*columns], *([*map(self.clean, row)] for row in rows)]
        widths = [max(len(line) for row in grid for line in row[at].split("\n")) for at in range(len(columns))]
        if self.width and sum(widths) + 3 * (len(widths) - 1) > self.width:
            for row in grid[1:]:
                self._record(columns, row, widths)
            return
        for at, row in enumerate(grid):
            for line in _lay_out(row, widths):
                self.line(line, "" if at else "bold")
            if at == 0:
                self.line("-" * (sum(widths) + 3 * (len(widths) - 1)), "dim")

    def pause(self, seconds: float) -> None:
        """Wait for `seconds` if the output is a terminal. Otherwise, return at once."""
        if self.live:
            time.sleep(seconds)

    def clean(self, text: str) -> str:
        """Return `text` without control codes, with `***` in place of secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return _CONTROL.sub("", text)

    def _record(self, columns: Sequence[str], row: Sequence[str], widths: Sequence[int]) -> None:
        """Print a row of a table as a list."""
        self.line(" ".join(row[:2]), "bold")
        cells = [
            (name, cell, width)
            for name, cell, width in zip(columns[2:], row[2:], widths[2:], strict=True)
            if cell != "-"
        ]
        for name, cell, width in cells:
            if width > _SHORT_COLUMN:
                self.line(f"  {name}")
                for line in cell.split("\n"):
                    self.line(f"    {line}", indent=6)
        short = [f"{name} {cell}" for name, cell, width in cells if width <= _SHORT_COLUMN]
        if short:
            self.line(f"  {', '.join(short)}", indent=2)

    def _put(self, text: str, style: str, _indent: int) -> None:
        self._write(text, style)

    def _write(self, text: str, style: str) -> None:
        codes = ";".join(_CODES[word] for word in style.split()) if self._has_styles else ""
        self._stream.write(f"\x1b[{codes}m{text}\x1b[0m" if codes and text.strip() else text)


class _WordWrap:
    """Writes text so that no word crosses the edge of the terminal.

    A word is held back until its end arrives. A word that is longer than a line is written whole.
    """

    def __init__(self, write: Callable[[str, str], None], width: int) -> None:
        self._write = write
        self._width = width
        self._column = 0
        self._gap = ""
        self._word = ""
        self._style = ""
        self._indent = 0

    def put(self, text: str, style: str, indent: int) -> None:
        """Write `text`. If it does not end in white space, hold back its last word, because the word may continue."""
        if (style, indent) != (self._style, self._indent):
            self._end_word()
        self._style, self._indent = style, indent
        for found in _TOKEN.findall(text.expandtabs(4)):
            if not found.isspace():
                self._word += found
                continue
            self._end_word()
            if found == "\n":
                self._write("\n", "")
                self._column, self._gap = 0, ""
            else:
                self._gap += found

    def _end_word(self) -> None:
        for part in _JSON_BREAK.split(self._word):
            self._place(part)
        self._word = ""

    def _place(self, part: str) -> None:
        if not part:
            return
        size = count_cells(part)
        if self._column > self._indent and self._column + len(self._gap) + size > self._width:
            self._write(f"\n{' ' * self._indent}", "")
            self._column, self._gap = self._indent, ""
        self._write(self._gap + part, self._style)
        self._column += len(self._gap) + size
        self._gap = ""


@dataclass(slots=True)
class Transcript:
    """Prints a conversation as it arrives. A label marks where another speaker or tool call begins."""

    screen: Screen
    _now: tuple[str, object] | None = None
    _after_newline: bool = field(default=False)

    def piece(self, kind: str, text: str, key: object = None) -> None:
        """Print a piece of text. If the piece begins a new entry of the conversation, print a label first.

        `kind` is the type of the entry, such as `answer` or `call`. `key` is different for each tool call.
        """
        if not text:
            return
        if self._now != (kind, key):
            self.end()
            self.screen.piece(kind.ljust(_LABEL_WIDTH), "bold")
            self._now = (kind, key)
            text = text.lstrip("\n")
        # A line end at the end of a text is printed only when more text follows. Otherwise, an empty line would precede
        # the next label.
        if self._after_newline and text:
            self.screen.piece("\n" + " " * _LABEL_WIDTH)
            self._after_newline = False
        if text.endswith("\n"):
            text, self._after_newline = text.rstrip("\n"), True
        self.screen.piece(text.replace("\n", "\n" + " " * _LABEL_WIDTH), _STYLES.get(kind, ""), _LABEL_WIDTH)

    def entry(self, kind: str, text: str) -> None:
        """Print a complete entry of the conversation: its label and its text."""
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


def read_width() -> int:
    """Return the width in columns, from the terminal or from the variable `COLUMNS`."""
    return max(_NARROWEST, shutil.get_terminal_size().columns)


def count_cells(text: str) -> int:
    r"""Return the number of columns that `text` takes up in a terminal.

    >>> count_cells("abc"), count_cells("日本"), count_cells("e\u0301")
    (3, 4, 1)
    """
    return sum(0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF") for char in text)


def _accepts_styles() -> bool:
    """Return whether the terminal accepts styles and the user wants them (https://no-color.org)."""
    is_old_windows = os.name == "nt" and "WT_SESSION" not in os.environ
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and not is_old_windows


def _continue_command(command: str, width: int) -> Iterator[str]:
    """Yield the lines of a shell command. Each line but the last ends with a backslash."""
    line = ""
    for word in _SHELL_WORD.findall(command):
        if line and len(line) + len(word) + 3 > width:
            yield f"{line} \\"
            line = f"  {word}"
        else:
            line = f"{line} {word}" if line else word
    yield line


def _lay_out(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """Yield the terminal lines of one row of a table. A cell may have several lines."""
    cells = [cell.split("\n") for cell in row]
    for at in range(max(map(len, cells))):
        parts = [cell[at] if at < len(cell) else "" for cell in cells]
        yield "   ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()

"""Writes `docs/images/demo.svg`: the output of a real run of `langchain-gemini-compat demo`, as an animated SVG.

Run `python tests/support/demo_recording.py` to write it. The pieces of the output appear one after another. A program
that does not animate SVG shows the whole output at once, and so does a browser that is set to reduced motion.
"""

import contextlib
import io
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from langchain_gemini_compat.cli import main
from langchain_gemini_compat.cli._terminal import count_cells

IMAGE = Path(__file__).parents[2] / "docs" / "images" / "demo.svg"
#: The width of the terminal in characters. The table and the URL fit into it.
COLUMNS = 110
_COMMAND = "$ langchain-gemini-compat demo"
#: Width and height of a character, and width of the frame, in pixels. The reader's browser chooses the font, so each
#: text is stretched to the width of its columns.
_WIDTH, _HEIGHT, _FRAME = 8, 19, 14
#: Seconds between two pieces of text, seconds between two lines, and seconds after an empty line.
_PIECE, _LINE, _PAUSE = 0.04, 0.1, 0.6
_STYLE = re.compile(r"\x1b\[([\d;]*)m")
_PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+")
_CLASSES = {"1": "b", "2": "d", "3": "i", "31": "r", "32": "g", "33": "y", "36": "c"}
_CSS = """
rect { fill: #fff; stroke: #d0d7de; }
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1f2328; }
text { animation: wait 0s; }
.b { font-weight: bold; } .i { font-style: italic; }
.d { fill: #59636e; } .c { fill: #0a6c7a; } .g { fill: #116329; }
@media (prefers-color-scheme: dark) {
  rect { fill: #0d1117; stroke: #3d444d; }
  text { fill: #e6edf3; }
  .d { fill: #9198a1; } .c { fill: #56d4dd; } .g { fill: #7ee787; }
}
@keyframes wait { from, to { visibility: hidden; } }
@media (prefers-reduced-motion: reduce) { text { animation: none !important; } }
"""


@dataclass(frozen=True)
class Piece:
    """A text in one style at a place of the terminal, and the second at which it appears."""

    row: int
    column: int
    text: str
    style: str
    second: float


class _Terminal(io.StringIO):
    """A terminal that keeps each text that is written to it."""

    def __init__(self):
        super().__init__()
        self.written = []

    def isatty(self):
        return True

    def write(self, text):
        self.written.append(text)
        return len(text)


def run_demo(stream):
    """Run the demo with `stream` as its standard output."""
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment |= {"COLUMNS": str(COLUMNS), "TERM": "xterm"}
    quick = mock.patch.object(time, "sleep", return_value=None)
    with mock.patch.dict(os.environ, environment, clear=True), quick, contextlib.redirect_stdout(stream):
        code = main(["demo"])
    if code:
        raise RuntimeError(f"The demo ended with exit code {code}.")


def record():
    """Run the demo and return the pieces of its output."""
    terminal = _Terminal()
    run_demo(terminal)
    pieces = [Piece(0, 0, _COMMAND, "b", 0.0)]
    row, column, second = 1, 0, _PAUSE
    for written in terminal.written:
        classes = " ".join(_CLASSES[code] for found in _STYLE.findall(written)[:1] for code in found.split(";"))
        for at, text in enumerate(_PORT.sub("8765", _STYLE.sub("", written)).split("\n")):
            if at:
                second += _LINE if column else _PAUSE
                row, column = row + 1, 0
            # Each word gets its own position, because SVG merges several spaces into one.
            for word in re.finditer(r"\S+(?: \S+)*", text):
                place = column + count_cells(text[: word.start()])
                pieces.append(Piece(row, place, word[0], classes, round(second, 2)))
            column += count_cells(text)
        second += _PIECE
    return pieces


def draw(pieces):
    """Return the SVG."""
    width = COLUMNS * _WIDTH + 2 * _FRAME
    height = (pieces[-1].row + 1) * _HEIGHT + 2 * _FRAME
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        "<title>Output of langchain-gemini-compat demo</title>",
        f"<style>{_CSS}</style>",
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
    ]
    for piece in pieces:
        x, y = _FRAME + piece.column * _WIDTH, _FRAME + (piece.row + 1) * _HEIGHT - 5
        length = count_cells(piece.text) * _WIDTH
        style = f' class="{piece.style}"' if piece.style else ""
        wait = f' style="animation-duration:{piece.second}s"' if piece.second else ""
        lines.append(f'<text x="{x}" y="{y}" textLength="{length}"{style}{wait}>{escape(piece.text)}</text>')
    return "\n".join([*lines, "</svg>", ""])


def read_lines(svg):
    """Return the lines of text in an SVG of `draw`."""
    lines = {}
    for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        row = (int(text.get("y")) + 5 - _FRAME) // _HEIGHT - 1
        column = (int(text.get("x")) - _FRAME) // _WIDTH
        lines[row] = lines.get(row, "").ljust(column) + text.text
    return [lines[row] for row in sorted(lines)]


if __name__ == "__main__":
    IMAGE.parent.mkdir(exist_ok=True)
    IMAGE.write_text(draw(record()), encoding="utf-8")

"""The fenced blocks of a documentation page, and the tabs that they are in.

A page shows in tabs how its model is constructed. Each tab connects the model to another server. The rest of the page
uses the variable `model`, so it is the same for every tab.
"""

import re
from textwrap import dedent
from typing import NamedTuple

#: The tab whose code starts a fake endpoint in the program. This tab comes first and defines `fake` and `model`.
OFFLINE = "Offline fake"
#: The tabs that a page can have, in this order.
TABS = (OFFLINE, "AI Studio", "Vertex AI", "Own server")
PART = re.compile(
    r'^=== "(?P<tab>[^"\n]+)"$'
    r"|^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=indent)```$"
    r"|^\S",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A fenced block. `tab` is `None` outside of tabs."""

    language: str
    code: str
    tab: str | None


def read_blocks(text):
    """Return the fenced blocks of a page in their order."""
    tab, blocks = None, []
    for part in PART.finditer(text):
        if part["tab"]:
            tab = part["tab"]
        elif part["language"] is None:
            tab = None
        else:
            tab = tab if part["indent"] else None
            blocks.append(Block(part["language"], dedent(part["code"]), tab))
    return blocks


def read_tabs(text):
    """Return the tabs of a page in the order of `TABS`, or `[None]` for a page without them."""
    used = {block.tab for block in read_blocks(text)}
    return [tab for tab in TABS if tab in used] or [None]

"""Names the `index` of each content block, for message chunks and for v3 events.

LangChain merges pieces with the same index into one block. The names are strings that start with `lc_`, as
langchain-core's own are: with integers, `output_version="v1"` merges a text block into tool call 0.
"""

from __future__ import annotations

#: All text of a reply is one block.
TEXT_INDEX = "lc_txt_0"
REFUSAL_INDEX = "lc_refusal_0"


def reasoning_index(number: int) -> str:
    """Return the index of thoughts. All thoughts of chunks have number 0; v3 events count each run of thoughts."""
    return f"lc_rs_{number}"


def call_index(number: int | str | None) -> str:
    """Return the index of tool call `number`."""
    return f"lc_tc_{number}"


def media_index(kind: str, number: int) -> str:
    """Return the index of medium `number` of the reply: LangChain joins the fields of blocks with one index."""
    return f"lc_{kind}_{number}"

"""Thoughts and text of a reply to the pieces of a stream. Its one rule: pieces put together are the text, unchanged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat.testing._model.replies import Reply, Style

_WORDS = re.compile(r"(?:\S+\s*|\s+){1,3}")


class Piece(NamedTuple):
    """Text of one frame; `is_closing_tag` says that it is nothing but the end of the thoughts."""

    text: str
    is_thought: bool
    is_closing_tag: bool = False


def cut_text(text: str, chunks: int | Sequence[str] | None) -> list[str]:
    """`text` in pieces of three words, of `chunks` characters, or those given.

    >>> cut_text("one two three four", None), cut_text("abcd", 3)
    (['one two three ', 'four'], ['abc', 'd'])
    """
    if chunks is None:
        return _WORDS.findall(text)
    if isinstance(chunks, int):
        return [text[start : start + chunks] for start in range(0, len(text), chunks)]
    if text and "".join(chunks) != text:
        raise ValueError("`chunks` put together are not `text`.")
    return list(chunks)


def tag_whole(reply: Reply, style: Style, tag: str | None) -> str:
    """Thoughts, tagged as `style` says, and text, as one content."""
    return "".join(piece.text for piece in tag_pieces(reply, style, tag))


def tag_pieces(reply: Reply, style: Style, tag: str | None) -> list[Piece]:
    """The texts of a reply in frames: thoughts first where they are shown, the closing tag before the answer."""
    answer = [Piece(text, is_thought=False) for text in cut_text(reply.text, reply.chunks)]
    if not reply.thoughts or tag is None or style.thoughts == "reasoning_content":
        return answer
    thoughts = [Piece(text, is_thought=True) for text in cut_text(reply.thoughts, None)]
    if style.thoughts == "untagged":
        return [*thoughts, *answer]
    tag = tag or "thought"
    thoughts[:1] = _opening_pieces(f"<{tag}>", thoughts[0].text, cut=bool(style.tag_cut))
    if style.thoughts != "unclosed":
        answer = list(_closing_pieces(f"</{tag}>", answer, cut=bool(style.tag_cut)))
    return [*thoughts, *answer]


def _opening_pieces(tag: str, text: str, *, cut: bool) -> list[Piece]:
    if cut:
        return [Piece(tag[:3], is_thought=True), Piece(tag[3:] + text, is_thought=True)]
    return [Piece(tag + text, is_thought=True)]


def _closing_pieces(tag: str, answer: list[Piece], *, cut: bool) -> Iterator[Piece]:
    """The closing tag is not flagged: it stands before the first text of the answer, or alone."""
    if cut:
        yield Piece(tag[:4], is_thought=False)
        tag = tag[4:]
    if answer:
        yield Piece(tag + answer[0].text, is_thought=False)
        yield from answer[1:]
    else:
        yield Piece(tag, is_thought=False, is_closing_tag=True)

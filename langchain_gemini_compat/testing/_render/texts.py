"""Split the thoughts and the text of a reply into the pieces of a stream. The joined pieces are equal to the text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat.testing._model.replies import Reply, Style

_WORDS = re.compile(r"(?:\S+\s*|\s+){1,3}")


class Piece(NamedTuple):
    """A piece of a reply's text. `is_closing_tag` means that the piece is only the closing tag of the thoughts."""

    text: str
    is_thought: bool
    is_closing_tag: bool = False


def cut_text(text: str, chunks: int | Sequence[str] | None) -> list[str]:
    """Cut `text` into pieces of three words (`None`), pieces of `chunks` characters, or the pieces listed in `chunks`.

    Raises `ValueError` if the listed pieces, joined, differ from `text`.

    >>> cut_text("one two three four", None), cut_text("abcd", 3)
    (['one two three ', 'four'], ['abc', 'd'])
    """
    if chunks is None:
        return _WORDS.findall(text)
    if isinstance(chunks, int):
        return [text[start : start + chunks] for start in range(0, len(text), chunks)]
    if text and "".join(chunks) != text:
        raise ValueError("The joined pieces of `chunks` differ from `text`. Change one of the two.")
    return list(chunks)


def tag_whole(reply: Reply, style: Style, tag: str | None) -> str:
    """Return the content of a reply that is not streamed: the tagged thoughts if they are visible, and the text."""
    return "".join(piece.text for piece in tag_pieces(reply, style, tag))


def tag_pieces(reply: Reply, style: Style, tag: str | None) -> list[Piece]:
    """Return the pieces of a stream: the tagged thoughts if they are visible, and the text."""
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
    """Yield the closing tag of the thoughts, and then the pieces of the answer."""
    if cut:
        yield Piece(tag[:4], is_thought=False)
        tag = tag[4:]
    if answer:
        yield Piece(tag + answer[0].text, is_thought=False)
        yield from answer[1:]
    else:
        yield Piece(tag, is_thought=False, is_closing_tag=True)

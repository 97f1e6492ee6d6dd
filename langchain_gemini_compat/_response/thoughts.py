"""Separates thoughts from the answer in the text of a reply.

Gemini writes thoughts into the text: between `<thought>` and `</thought>` on AI Studio, and between the caller's
`thought_tag_marker` on Vertex. It also marks thoughts with the flag `extra_content.google.thought`. The rules:

- The server's flag decides: flagged text is a thought, and unflagged text after it is the answer.
- An opening tag counts only at the start of the reply, or at the start of flagged text.
- A closing tag counts only after an opening tag, or at the end of flagged text. The model sends the closing tag with
  the first unflagged text. If a tool call follows the thoughts, the model omits the closing tag.

A tag may be split between two chunks at any character. Source: captures of AI Studio with `include_thoughts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat._response.events import TextDelta, ThoughtDelta
from langchain_gemini_compat._wire.json_types import DEFAULT_TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat._response.events import Event

#: Maximum number of white space characters before an opening tag. Without a limit, leading white space would be held
#: back forever.
_MOST_SPACE = 4096


class ThoughtSplitter:
    """Turns text into `ThoughtDelta` and `TextDelta` events, without the tags around thoughts.

    White space before an opening tag belongs to the thoughts. If the end of a text may be the start of a tag, this end
    is held back until the next call of `feed()` or `finish()`. `_state` is the method that reads the next text.

    >>> splitter = ThoughtSplitter()
    >>> [*splitter.feed("<thou"), *splitter.feed("ght>hm</thought>hi"), *splitter.finish()]
    [ThoughtDelta(text='hm'), TextDelta(text='hi')]
    """

    def __init__(self, tags: Sequence[str] = DEFAULT_TAGS) -> None:
        self._tags = tuple((f"<{tag}>", f"</{tag}>") for tag in tags)
        self._closing = tuple(closing for _, closing in self._tags)
        self._state = self._start
        self._held = ""
        self._flagged = False
        #: How many characters of `_held` are a thought, counted from the start. If they turn out to be a tag, they are
        #: dropped.
        self._held_thought = 0
        #: Whether text that the server does not flag as a thought is now certainly a part of the answer. Then it is not
        #: searched for tags.
        self.passes_text = False

    def feed(self, text: str, *, flagged: bool = False) -> Iterator[Event]:
        """Yield the events for `text`. The end of `text` is held back if it may be the start of a tag.

        `flagged` says whether the server marked `text` as a thought (`extra_content.google.thought`).
        """
        if not text:
            return
        if flagged and not self._flagged:
            yield from self.finish()
            self._state = self._flagged_start
        elif self._flagged and not flagged:
            self._state = self._after_flagged
        self._flagged = flagged
        text, self._held = self._held + text, ""
        yield from self._state(text)
        self._update_passes_text()

    def expect_answer(self) -> None:
        """Stop looking for an opening tag. Call this if thoughts were not requested, or came in a separate field."""
        if self._state == self._start and not self._held:
            self._state = self._in_text
        self._update_passes_text()

    def expect_thoughts(self) -> None:
        """Look for an opening tag again. Call this if the server says that the text contains thoughts."""
        if self._state == self._in_text and not self._held:
            self._state = self._start
        self._update_passes_text()

    def finish(self) -> Iterator[Event]:
        """Yield the text that was held back. If it is a closing tag, drop it."""
        held, self._held = self._held, ""
        cut, self._held_thought = self._held_thought, 0
        if held in self._closing and cut == len(held):
            return
        if held[:cut]:
            yield ThoughtDelta(held[:cut])
        if held[cut:]:
            yield TextDelta(held[cut:])

    def _update_passes_text(self) -> None:
        # `finish` does not call this method: `feed` does, and `passes_text` is not read after the end of a reply.
        self.passes_text = not self._held and not self._flagged and self._state == self._in_text

    def _start(self, text: str) -> Iterator[Event]:
        """Read the start of the reply, which may be an opening tag after white space."""
        bare = text.lstrip()
        for opening, closing in self._tags:
            if bare.startswith(opening):
                self._closing = (closing,)
                self._state = self._in_tag
                yield from self._in_tag(text.replace(opening, "", 1))
                return
        if self._may_start_tag(text, bare):
            self._held = text
            return
        self._state = self._in_text
        yield TextDelta(text)

    def _in_tag(self, text: str) -> Iterator[Event]:
        """Yield `text` as a thought, up to the closing tag. The server does not flag this text as a thought."""
        closing = self._closing[0]
        thought, tag, answer = text.partition(closing)
        if tag:
            self._state = self._in_text
            self._held_thought = 0
            if thought:
                yield ThoughtDelta(thought)
            if answer:
                yield TextDelta(answer)
            return
        yield from self._hold_thought(text, _overlap(text, closing))

    def _flagged_start(self, text: str) -> Iterator[Event]:
        """Read the first piece of text that the server flags as a thought. It may begin with an opening tag."""
        bare = text.lstrip()
        opening = next((opening for opening, _ in self._tags if bare.startswith(opening)), "")
        if not opening and self._may_start_tag(text, bare):
            self._held, self._held_thought = text, len(text)
            return
        self._state = self._in_flagged
        yield from self._in_flagged(text.replace(opening, "", 1))

    def _in_flagged(self, text: str) -> Iterator[Event]:
        """Yield `text`, which the server flags as a thought. Hold back its end if that may be a closing tag."""
        keep = max(len(closing) if text.endswith(closing) else _overlap(text, closing) for closing in self._closing)
        yield from self._hold_thought(text, keep)

    def _after_flagged(self, text: str) -> Iterator[Event]:
        """Read the first text of the answer after thoughts that the server flagged. Remove the closing tag in between.

        The tag may begin at the end of the thoughts or at the start of the answer, or may be missing.
        """
        cut = self._held_thought
        for start in (0, cut):
            closing = next((closing for closing in self._closing if text.startswith(closing, start)), "")
            if closing:
                text, self._held_thought = text[:start] + text[start + len(closing) :], start
                break
        else:
            if any(closing.startswith((text, text[cut:])) for closing in self._closing):
                self._held = text
                return
        self._state = self._in_text
        self._held = text
        yield from self.finish()

    def _in_text(self, text: str) -> Iterator[Event]:
        """Yield `text`, which is a part of the answer."""
        yield TextDelta(text)

    def _may_start_tag(self, text: str, bare: str) -> bool:
        """Return whether `text` can be the start of an opening tag. `bare` is `text` without leading white space."""
        return len(text) - len(bare) <= _MOST_SPACE and any(opening.startswith(bare) for opening, _ in self._tags)

    def _hold_thought(self, text: str, size: int) -> Iterator[Event]:
        """Yield `text` as a thought, except its last `size` characters, which are held back."""
        cut = len(text) - size
        self._held, self._held_thought = text[cut:], size
        if cut:
            yield ThoughtDelta(text[:cut])


def _overlap(text: str, tag: str) -> int:
    """Return how many characters at the end of `text` can be the start of `tag`."""
    for size in range(min(len(tag) - 1, len(text)), 0, -1):
        if text.endswith(tag[:size]):
            return size
    return 0

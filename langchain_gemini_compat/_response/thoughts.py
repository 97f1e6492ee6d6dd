"""Text as it arrives, to thoughts and answer, wherever the chunks break.

Its one rule: the server's flag is the truth, and tags count only where they open the reply or close what they
opened. Gemini wraps thoughts in `<thought>…</thought>` on AI Studio and in the caller's `thought_tag_marker`
on Vertex; the closing tag stands before the first unflagged text, or is left out before a tool call
(captures of AI Studio with `include_thoughts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat._response.events import TextDelta, ThoughtDelta
from langchain_gemini_compat._wire.json_types import DEFAULT_TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat._response.events import Event

#: A tag behind more white space than this is none: it need not be held back, and searched, for ever.
_MOST_SPACE = 4096


class ThoughtSplitter:
    """Separate thoughts from the answer; all that is lost on the way are the tags.

    A tag counts at the opening of the reply or of a run of flagged thoughts, perhaps behind white space, which
    then belongs to the thoughts; and where it closes such thoughts. What could still become a tag is held back
    until the next `feed()`; `finish()` gives up what is left.

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
        #: How much of what is held is a thought, unless it turns out to be a tag.
        self._held_thought = 0
        #: Whether unflagged text passes as it is, however it is cut.
        self.passes_text = False

    def feed(self, text: str, *, flagged: bool = False) -> Iterator[Event]:
        """Yield what `text` makes certain; `flagged` is the server's own `extra_content.google.thought`."""
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
        """Nobody asked for thoughts, or they came in a field of their own: no tag opens this reply."""
        if self._state == self._start and not self._held:
            self._state = self._in_text
        self._update_passes_text()

    def expect_thoughts(self) -> None:
        """The server says that there are thoughts in the text to come: a tag may open it after all."""
        if self._state == self._in_text and not self._held:
            self._state = self._start
        self._update_passes_text()

    def finish(self) -> Iterator[Event]:
        """Yield what was held back as what it turned out to be."""
        held, self._held = self._held, ""
        cut, self._held_thought = self._held_thought, 0
        if held in self._closing and cut == len(held):
            return
        if held[:cut]:
            yield ThoughtDelta(held[:cut])
        if held[cut:]:
            yield TextDelta(held[cut:])

    def _update_passes_text(self) -> None:
        # `finish` does not: it ends the reply, or a run of thoughts, after which `feed` looks.
        self.passes_text = not self._held and not self._flagged and self._state == self._in_text

    def _start(self, text: str) -> Iterator[Event]:
        """Nothing is decided: a tag may open here, perhaps behind white space."""
        bare = text.lstrip()
        for opening, closing in self._tags:
            if bare.startswith(opening):
                self._closing = (closing,)
                self._state = self._in_tag
                yield from self._in_tag(text.replace(opening, "", 1))
                return
        if self._may_open(text, bare):
            self._held = text
            return
        self._state = self._in_text
        yield TextDelta(text)

    def _in_tag(self, text: str) -> Iterator[Event]:
        """Unflagged thoughts: all until the closing tag."""
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
        """Flagged thoughts, perhaps behind their opening tag."""
        bare = text.lstrip()
        opening = next((opening for opening, _ in self._tags if bare.startswith(opening)), "")
        if not opening and self._may_open(text, bare):
            self._held, self._held_thought = text, len(text)
            return
        self._state = self._in_flagged
        yield from self._in_flagged(text.replace(opening, "", 1))

    def _in_flagged(self, text: str) -> Iterator[Event]:
        """Flagged thoughts: only a closing tag at their very end is no thought."""
        keep = max(len(closing) if text.endswith(closing) else _overlap(text, closing) for closing in self._closing)
        yield from self._hold_thought(text, keep)

    def _after_flagged(self, text: str) -> Iterator[Event]:
        """The first unflagged text: the closing tag comes first, or began flagged, or is left out."""
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
        yield TextDelta(text)

    def _may_open(self, text: str, bare: str) -> bool:
        return len(text) - len(bare) <= _MOST_SPACE and any(opening.startswith(bare) for opening, _ in self._tags)

    def _hold_thought(self, text: str, size: int) -> Iterator[Event]:
        """Hold the last `size` characters back, yield the others."""
        cut = len(text) - size
        self._held, self._held_thought = text[cut:], size
        if cut:
            yield ThoughtDelta(text[:cut])


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of `text` may be the start of `tag`."""
    for size in range(min(len(tag) - 1, len(text)), 0, -1):
        if text.endswith(tag[:size]):
            return size
    return 0

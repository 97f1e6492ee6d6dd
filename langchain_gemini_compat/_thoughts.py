"""Text as it arrives, to thoughts and answer, wherever the chunks break.

Its one rule: the server's flag is the truth, and tags count only where they open the reply or close what they
opened. Gemini wraps thoughts in `<thought>…</thought>` on AI Studio and in the caller's `thought_tag_marker`
on Vertex; the closing tag stands before the first unflagged text, or is left out before a tool call
(captures of AI Studio with `include_thoughts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat._events import TextDelta, ThoughtDelta

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat._events import Event

#: `think` is what vLLM-like servers and Google's own sample marker use.
DEFAULT_TAGS = ("thought", "think")


class ThoughtSplitter:
    """Separate leading thoughts from the answer.

    What could still become a tag is held back until the next `feed()`; `finish()` gives up what is left.

    >>> splitter = ThoughtSplitter()
    >>> [*splitter.feed("<thou"), *splitter.feed("ght>hm</thought>hi"), *splitter.finish()]
    [ThoughtDelta(text='hm'), TextDelta(text='hi')]
    """

    def __init__(self, tags: Sequence[str] = DEFAULT_TAGS) -> None:
        self._opening = tuple(f"<{tag}>" for tag in tags)
        self._closing = tuple(f"</{tag}>" for tag in tags)
        self._state = self._start
        self._held = ""
        self._flagged = False
        #: How much of what is held came flagged.
        self._held_flagged = 0

    def feed(self, text: str, *, flagged: bool = False) -> Iterator[Event]:
        """Yield what `text` makes certain; `flagged` is the server's own `extra_content.google.thought`."""
        if flagged:
            yield from self._feed_flagged(text)
            return
        if self._flagged:
            self._flagged = False
            self._held_flagged = len(self._held)
            self._state = self._after_flagged
        yield from self._state(text)

    def finish(self) -> Iterator[Event]:
        """Yield what was held back as what it turned out to be."""
        held, self._held = self._held, ""
        if held and self._flagged:
            if held not in self._closing:
                yield ThoughtDelta(held)
        elif held:
            yield ThoughtDelta(held) if self._state == self._in_tag else TextDelta(held)

    def _feed_flagged(self, text: str) -> Iterator[Event]:
        if not self._flagged:
            if self._held and self._state != self._start:
                yield from self.finish()
            self._flagged = True
            self._state = self._flagged_start
        text, self._held = self._held + text, ""
        yield from self._state(text)

    def _start(self, text: str) -> Iterator[Event]:
        """Nothing is decided: a tag may open here, perhaps behind white space."""
        text, self._held = self._held + text, ""
        if not text:
            return
        bare = text.lstrip()
        for opening, closing in zip(self._opening, self._closing, strict=True):
            if bare.startswith(opening):
                self._closing = (closing,)
                self._state = self._in_tag
                yield from self._in_tag(bare[len(opening) :])
                return
        if any(opening.startswith(bare) for opening in self._opening):
            self._held = text
            return
        self._state = self._in_text
        yield TextDelta(text)

    def _in_tag(self, text: str) -> Iterator[Event]:
        """Unflagged thoughts: all until the closing tag."""
        text, self._held = self._held + text, ""
        closing = self._closing[0]
        thought, tag, answer = text.partition(closing)
        if tag:
            self._state = self._in_text
            if thought:
                yield ThoughtDelta(thought)
            if answer:
                yield TextDelta(answer)
            return
        keep = _overlap(text, closing)
        if keep:
            text, self._held = text[:-keep], text[-keep:]
        if text:
            yield ThoughtDelta(text)

    def _flagged_start(self, text: str) -> Iterator[Event]:
        """Flagged thoughts, perhaps behind their opening tag."""
        bare = text.lstrip()
        for opening in self._opening:
            if bare.startswith(opening):
                self._state = self._in_flagged
                yield from self._in_flagged(bare[len(opening) :])
                return
        if any(opening.startswith(bare) for opening in self._opening):
            self._held = text
            return
        self._state = self._in_flagged
        yield from self._in_flagged(text)

    def _in_flagged(self, text: str) -> Iterator[Event]:
        """Flagged thoughts: only a closing tag at their very end is no thought."""
        keep = max(len(closing) if text.endswith(closing) else _overlap(text, closing) for closing in self._closing)
        if keep:
            text, self._held = text[:-keep], text[-keep:]
        if text:
            yield ThoughtDelta(text)

    def _after_flagged(self, text: str) -> Iterator[Event]:
        """The first unflagged text: the closing tag comes first, or is left out."""
        if not text:
            return
        text, self._held = self._held + text, ""
        for closing in self._closing:
            if text.startswith(closing):
                self._state = self._in_text
                yield from self._in_text(text[len(closing) :])
                return
        if any(closing.startswith(text) for closing in self._closing):
            self._held = text
            return
        self._state = self._in_text
        if self._held_flagged:
            yield ThoughtDelta(text[: self._held_flagged])
        yield TextDelta(text[self._held_flagged :])

    def _in_text(self, text: str) -> Iterator[Event]:
        if text:
            yield TextDelta(text)


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of `text` may be the start of `tag`."""
    for size in range(min(len(tag) - 1, len(text)), 0, -1):
        if text.endswith(tag[:size]):
            return size
    return 0

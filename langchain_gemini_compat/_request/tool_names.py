"""Names of tools to names that Gemini takes, and back.

Its one rule: no two names share one on the wire. A name that is taken as it is stays; what else a name becomes hangs
on that name alone, unless another one came first. Sources, which differ in details, so that the narrower counts:
https://ai.google.dev/api/python/google/generativeai/protos/FunctionCall and
https://cloud.google.com/vertex-ai/generative-ai/docs/reference/java/1.3.0/com.google.cloud.vertexai.api.FunctionDeclarationOrBuilder
"""

from __future__ import annotations

import re
from hashlib import sha1
from typing import TYPE_CHECKING

from langchain_gemini_compat._wire.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from langchain_gemini_compat._wire.notes import NoteKind

_LONGEST = 63
_TAKEN = re.compile(rf"[A-Za-z_][A-Za-z0-9_-]{{0,{_LONGEST - 1}}}")
_REFUSED = re.compile(r"[^A-Za-z0-9_-]")
_HASH_DIGITS = 8


class ToolNames:
    """The names of one request: first those of the bound tools, then those of the history as they are met.

    Where the place is not `restricted`, every name is its own.

    >>> names = ToolNames(["Create Volume", "Create_Volume"], [])
    >>> names.encode("Create_Volume"), names.encode("Create Volume"), names.encode("3d.print")
    ('Create_Volume', 'Create_Volume_da5a6525', '_3d_print')
    """

    def __init__(self, bound: Iterable[str], notes: list[Note], *, restricted: bool = True) -> None:
        self._notes = notes
        self._restricted = restricted
        self._sent: dict[str, str] = {}
        self._given: dict[str, str] = {}
        # Names that may stay have the first right to themselves.
        for name in sorted(dict.fromkeys(bound), key=lambda name: not _TAKEN.fullmatch(name)):
            self._add(name, "adjusted", "tool")
        #: The names of the bound tools on the wire.
        self.bound = frozenset(self._given)

    def encode(self, name: str, index: int | None = None) -> str:
        """The name on the wire; `index` is the place of the message that a note is about."""
        if name not in self._sent:
            self._add(name, "repaired", "call", index)
        return self._sent[name]

    def changed(self) -> Mapping[str, str]:
        """By the name on the wire, the caller's name, where the two differ."""
        return {sent: given for sent, given in self._given.items() if sent != given}

    def _add(self, name: str, kind: NoteKind, what: str, index: int | None = None) -> None:
        sent = self._choose(name) if self._restricted else name
        self._sent[name] = sent
        self._given[sent] = name
        if sent != name:
            text = f"The name of {what} {name!r} goes out as {sent!r} and is changed back: Gemini refuses it as it is."
            self._notes.append(Note(kind, text, index))

    def _choose(self, name: str) -> str:
        """`name` itself, or what is left of it, with a hash where that is too long, says nothing or is in use."""
        clean = _REFUSED.sub("_", name)
        clean = clean if _TAKEN.match(clean) else f"_{clean}"
        says_nothing = clean != name and not clean.strip("_-")
        sent = _add_hash(clean, name) if len(clean) > _LONGEST or says_nothing else clean
        tries = 0
        while sent in self._given:
            sent = _add_hash(clean, f"{tries}/{name}" if tries else name)
            tries += 1
        return sent


def _add_hash(clean: str, name: str) -> str:
    digest = sha1(name.encode(errors="surrogatepass"), usedforsecurity=False).hexdigest()[:_HASH_DIGITS]
    return f"{clean[: _LONGEST - _HASH_DIGITS - 1]}_{digest}"

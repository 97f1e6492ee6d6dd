"""Converts tool names to names that Gemini accepts, and back.

Different names get different wire names. A valid name is not changed. An invalid name has the same wire name in each
request, unless another tool of the request already has this wire name. Where the following two sources differ, the
stricter rule applies:
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

    from langchain_gemini_compat._wire.json_types import JsonObject
    from langchain_gemini_compat._wire.notes import NoteKind

_MAX_LENGTH = 63
_VALID = re.compile(rf"[A-Za-z_][A-Za-z0-9_-]{{0,{_MAX_LENGTH - 1}}}")
_INVALID_CHARACTER = re.compile(r"[^A-Za-z0-9_-]")
_HASH_DIGITS = 8


class ToolNames:
    """The tool names of one request and their wire names.

    Bound tools get their wire names first. Tools that occur only in the history get theirs later, in the order in which
    they occur.

    Args:
        bound: The caller's names of the bound tools.
        notes: The list that gets a note for each changed name.
        restricted: Whether the server accepts only names that are valid for Gemini. If not, names are not changed.

    >>> names = ToolNames(["Create Volume", "Create_Volume"], [])
    >>> names.encode("Create_Volume"), names.encode("Create Volume"), names.encode("3d.print")
    ('Create_Volume', 'Create_Volume_da5a6525', '_3d_print')
    """

    def __init__(self, bound: Iterable[str], notes: list[Note], *, restricted: bool = True) -> None:
        self._notes = notes
        self._restricted = restricted
        self._sent: dict[str, str] = {}
        self._given: dict[str, str] = {}
        # Valid names come first, so that a converted name cannot equal a valid name of a bound tool.
        for name in sorted(dict.fromkeys(bound), key=lambda name: not _VALID.fullmatch(name)):
            self._add(name, "adjusted", "tool")
        #: The wire names of the bound tools.
        self.bound = frozenset(self._given)

    def encode(self, name: str, index: int | None = None) -> str:
        """Return the wire name of a tool. A note about a changed name has `index`, the position of the message."""
        if name not in self._sent:
            self._add(name, "repaired", "call", index)
        return self._sent[name]

    def original_names(self) -> Mapping[str, str]:
        """Return a map from each changed wire name to the caller's name."""
        return {sent: given for sent, given in self._given.items() if sent != given}

    def _add(self, name: str, kind: NoteKind, what: str, index: int | None = None) -> None:
        sent = self._choose(name) if self._restricted else name
        self._sent[name] = sent
        self._given[sent] = name
        if sent != name:
            text = (
                f"The name of {what} {name!r} was sent as {sent!r}: Gemini refuses the original name. Replies contain "
                "the original name."
            )
            self._notes.append(Note(kind, text, index))

    def _choose(self, name: str) -> str:
        """Return the name with invalid characters replaced.

        A hash is added if the result is too long, has no letter or digit, or already belongs to another tool.
        """
        clean = _INVALID_CHARACTER.sub("_", name)
        clean = clean if _VALID.match(clean) else f"_{clean}"
        is_blank = clean != name and not clean.strip("_-")
        sent = _add_hash(clean, name) if len(clean) > _MAX_LENGTH or is_blank else clean
        tries = 0
        while sent in self._given:
            sent = _add_hash(clean, f"{tries}/{name}" if tries else name)
            tries += 1
        return sent


def _add_hash(clean: str, name: str) -> str:
    digest = sha1(name.encode(errors="surrogatepass"), usedforsecurity=False).hexdigest()[:_HASH_DIGITS]
    return f"{clean[: _MAX_LENGTH - _HASH_DIGITS - 1]}_{digest}"


def declared_name(tool: JsonObject) -> str:
    """Return the name in a tool declaration. In OpenAI's form, the name is under `function`."""
    function = tool.get("function")
    return str(function.get("name") if isinstance(function, dict) else tool.get("name"))

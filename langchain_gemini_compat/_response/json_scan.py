"""Pieces of a JSON text, as they arrive, to the same pieces made safe, and to one fact: is it complete?

Its one rule: it never needs what it has seen before, so its work is linear in the text.
"""

from __future__ import annotations

import re

_CONTROL = {chr(code): f"\\u{code:04x}" for code in range(0x20)} | {
    "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r",
}  # fmt: skip
#: What means something inside a string, and outside of one.
_IN_STRING = re.compile(r'["\\\x00-\x1f]')
_STRUCTURE = re.compile(r'["{}\[\]]')


class JsonScanner:
    r"""Follow one JSON object through its pieces; whether it is valid is the parser's to judge.

    Raw control characters inside strings are escaped on the way: Vertex streams them unescaped in the
    arguments of multi-line values (seen with `stream_function_call_arguments`).

    >>> scanner = JsonScanner()
    >>> scanner.feed('{"a": "x\ny'), scanner.complete, scanner.feed('"}'), scanner.complete
    ('{"a": "x\\ny', False, '"}', True)
    """

    __slots__ = ("_depth", "_escaped", "_in_string", "complete", "started")

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        #: Something other than white space was seen.
        self.started = False
        #: What opened the text is closed.
        self.complete = False

    def feed(self, text: str) -> str:
        """Take the next piece; return it with control characters in strings escaped."""
        safe: list[str] = []
        position = 0
        while position < len(text):
            if self._in_string:
                position = self._scan_string(text, position, safe)
            else:
                position = self._scan_structure(text, position, safe)
        return "".join(safe)

    def _scan_string(self, text: str, start: int, safe: list[str]) -> int:
        """Take what lies inside a string, at most to the next character that means something there."""
        if self._escaped:
            self._escaped = False
            safe.append(text[start])
            return start + 1
        found = _IN_STRING.search(text, start)
        if found is None:
            safe.append(text[start:])
            return len(text)
        char = found.group()
        self._in_string = char != '"'
        self._escaped = char == "\\"
        safe.append(text[start : found.start()] + _CONTROL.get(char, char))
        return found.end()

    def _scan_structure(self, text: str, start: int, safe: list[str]) -> int:
        """Take what lies outside of strings, at most to the next quote or bracket."""
        found = _STRUCTURE.search(text, start)
        end = found.end() if found else len(text)
        safe.append(text[start:end])
        self.started = self.started or not safe[-1].isspace()
        if found:
            self._feed_structure(found.group())
        return end

    def _feed_structure(self, char: str) -> None:
        if char == '"':
            self._in_string = True
        elif char in "{[":
            self._depth += 1
        else:
            self._depth -= 1
            self.complete = self.complete or self._depth <= 0

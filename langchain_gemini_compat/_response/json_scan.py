"""Scans the arguments of a tool call piece by piece: escapes control characters, and finds the closing bracket.

The scanner keeps no earlier text, so its time is linear in the length of the arguments.
"""

from __future__ import annotations

import re

_CONTROL = {chr(code): f"\\u{code:04x}" for code in range(0x20)} | {
    "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r",
}  # fmt: skip
#: Characters at which the scanner stops: `_IN_STRING` inside of strings, `_STRUCTURE` outside of strings.
_IN_STRING = re.compile(r'["\\\x00-\x1f]')
_STRUCTURE = re.compile(r'["{}\[\]]')


class JsonScanner:
    r"""Scans the pieces of one JSON object. It finds the end of the object and does not validate it.

    Control characters inside strings are escaped. Vertex streams them unescaped in multi-line values (seen with
    `stream_function_call_arguments`).

    >>> scanner = JsonScanner()
    >>> scanner.feed('{"a": "x\ny'), scanner.complete, scanner.feed('"}'), scanner.complete
    ('{"a": "x\\ny', False, '"}', True)
    """

    __slots__ = ("_depth", "_escaped", "_in_string", "complete", "started")

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        #: Whether a character other than white space came.
        self.started = False
        #: Whether the first bracket is closed.
        self.complete = False

    def feed(self, text: str) -> str:
        """Return the next piece with the control characters in its strings escaped."""
        safe: list[str] = []
        position = 0
        while position < len(text):
            if self._in_string:
                position = self._scan_string(text, position, safe)
            else:
                position = self._scan_structure(text, position, safe)
        return "".join(safe)

    def _scan_string(self, text: str, start: int, safe: list[str]) -> int:
        """Scan a string up to and including the next quote, backslash or control character. Return the new position."""
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
        """Scan the text outside of strings up to and including the next quote or bracket. Return the new position."""
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

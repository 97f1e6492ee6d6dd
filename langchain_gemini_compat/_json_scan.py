"""Pieces of a JSON text, as they arrive, to the same pieces made safe, and to one fact: is it complete?

Its one rule: it never needs what it has seen before, so its work is linear in the text.
"""

from __future__ import annotations

_CONTROL = {code: f"\\u{code:04x}" for code in range(0x20)} | {
    0x08: "\\b", 0x09: "\\t", 0x0A: "\\n", 0x0C: "\\f", 0x0D: "\\r",
}  # fmt: skip


class JsonScanner:
    r"""Follow one JSON object through its pieces.

    Raw control characters inside strings are escaped on the way: Vertex streams them unescaped in the
    arguments of multi-line values (seen with `stream_function_call_arguments`).

    >>> scanner = JsonScanner()
    >>> scanner.feed('{"a": "x\ny'), scanner.complete, scanner.feed('"}'), scanner.complete
    ('{"a": "x\\ny', False, '"}', True)
    """

    __slots__ = ("_depth", "_escaped", "_in_string", "broken", "complete", "started")

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        #: Something other than white space was seen.
        self.started = False
        #: The object that opened the text is closed.
        self.complete = False
        #: Text came after the end, or the text does not start as an object.
        self.broken = False

    def feed(self, text: str) -> str:
        """Take the next piece; return it with control characters in strings escaped."""
        safe: list[str] = []
        for char in text:
            if self._in_string:
                safe.append(self._feed_in_string(char))
                continue
            safe.append(char)
            if not char.isspace():
                self._feed_structure(char)
        return "".join(safe)

    def _feed_in_string(self, char: str) -> str:
        if self._escaped:
            self._escaped = False
        elif char == "\\":
            self._escaped = True
        elif char == '"':
            self._in_string = False
        elif char < " ":
            return _CONTROL[ord(char)]
        return char

    def _feed_structure(self, char: str) -> None:
        if self.complete or (not self.started and char != "{"):
            self.broken = True
        self.started = True
        if char == '"':
            self._in_string = True
        elif char in "{[":
            self._depth += 1
        elif char in "}]":
            self._depth -= 1
            self.complete = self._depth <= 0

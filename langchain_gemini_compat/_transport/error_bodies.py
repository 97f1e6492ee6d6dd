"""Finds the server's own error in an error body, even if gateways have wrapped it.

Google wraps the error object in a list (public captures of both surfaces). Gateways wrap it again: in an object with
numbers as keys, in `metadata.raw` (OpenRouter), as JSON in a text (LiteLLM), as Python's `b'…'` or as a printed
dictionary. The search has limits for depth, values and characters, since a server may send anything.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._transport.error_detection import FIRST_ERROR, code_of, parts_of
from langchain_gemini_compat._transport.error_rules import CODES_OF_WORDS, VAGUE_WORDS, ParsedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

NO_REASON = "The server gave no reason."
#: Maximum length of a server's text in an exception.
LONGEST_TEXT = 2000
#: Limits for one error body: nesting depth of the error objects, number of values, and number of characters that are
#: searched for JSON.
_DEEPEST, _MOST_VALUES, _MOST_CHARACTERS = 12, 64, 2**18
#: Limits for one text: the characters to search, the positions that are tried as the start of JSON, and the characters
#: of a printed Python value.
_LONGEST_SEARCH, _MOST_STARTS, _LONGEST_LITERAL = 2**16, 8, 2**14
#: Maximum nesting depth of brackets in a printed Python value.
_MOST_BRACKETS = 32
#: Keys that may contain the server's message, the most specific first.
_REASONS = (
    "message", "error", "msg", "detail", "details", "errors", "fault", "faultstring", "error_description",
    "description", "reason", "error_message", "errorMessage", "error_msg", "errorMsg", "err_msg", "errmsg", "exception",
    "err", "title", "raw",
)  # fmt: skip
#: Keys under which a gateway puts the error of the server to which it passed the request.
_WRAPPINGS = (
    "error", "metadata", "raw", "message", "detail", "details", "msg", "errors", "body", "response", "cause", "data",
    "error_message", "original_error", "upstream_error", "provider_error", "innererror", "inner_error",
    "provider_response", "error_details", "fault",
)  # fmt: skip
#: The keys under which an error object may have its message, and then those under which it may have its code or type.
#: An error object has at least one key of each tuple.
_MESSAGE_KEYS, _CODE_KEYS = (
    ("message", "msg", "detail", "details"),
    ("code", "status", "type", "error_type", "statusCode"),
)
_DECODER = json.JSONDecoder()
_START = re.compile(r"""\[\s*\{|\{|b['"]|"(?=[\[{])""")
#: Matches bytes as Python prints them, such as `b'…'`. Without a closing quotation mark, the match extends to the end
#: of the text. Otherwise, the search would try every later position.
_BYTES = re.compile(r"""b(?:'(?:[^'\\]|\\.?)*(?:'|\Z)|"(?:[^"\\]|\\.?)*(?:"|\Z))""", re.DOTALL)
_STRING_OR_BRACKET = re.compile(r"""'(?:[^'\\]|\\.?)*(?:'|\Z)|"(?:[^"\\]|\\.?)*(?:"|\Z)|[\[\]{}()]""", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
#: HTTP statuses that do not show the cause of an error.
_VAGUE_STATUSES = (500, 502)
#: Statuses of requests that the server refused because of their content. The error text may repeat the request.
_REFUSALS = (400, 413, 422)


@dataclass(slots=True)
class _Budget:
    """How many values and characters of one error body may still be read."""

    values: int = _MOST_VALUES
    characters: int = _MOST_CHARACTERS


@dataclass(slots=True)
class _Search:
    """The state of a search for error objects. `layers` has the objects found so far, the outermost first."""

    #: The status code in the innermost error object that has a status code. Without such an object, the HTTP status.
    code: int = 0
    budget: _Budget = field(default_factory=_Budget)
    layers: list[JsonObject] = field(default_factory=list)
    #: A text or number that the server sent in place of an error object.
    text: str = ""


def read_error(body: JsonValue, *, default_code: int) -> tuple[ParsedError, JsonValue]:
    """Return the parsed error in `body`, and its innermost error object or text.

    Args:
        body: The JSON of an error response, or its text.
        default_code: The HTTP status, which is used if the body does not contain a status.
    """
    search = _Search(default_code)
    _unwrap(_choice_error(body), search, _DEEPEST)
    layers = search.layers[::-1]
    telling = next((layer for layer in layers if _read_reason(layer)), layers[0] if layers else None)
    message = _read_reason(telling) if telling is not None else ""
    if not message:
        # No error object has a message. So the message is the plain text or number that the server sent, if any.
        message = search.text or ("" if isinstance(body, (dict, list)) or body is None else str(body))
    words = tuple(dict.fromkeys(word for layer in layers for word in _words_of(layer)))
    details = next((found for layer in layers if (found := _details_of(layer))), ())
    named = next((layer for layer in layers if isinstance(layer.get("message"), str)), telling)
    error = ParsedError(
        code=_decide_code(layers, words, default_code),
        status=_status_of(layers),
        message=cut(message or NO_REASON),
        details=details,
        words=words,
    )
    return error, named if named is not None else search.text or body


def cut(text: str) -> str:
    """Return `text`, shortened to `LONGEST_TEXT` characters."""
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _choice_error(body: JsonValue) -> JsonValue:
    """Return `{"error": …}` with the error of a choice.

    If `body` itself has an `error`, or if no choice has one, return `body`.
    """
    if isinstance(body, dict) and not body.get("error") and isinstance(body.get("choices"), list):
        for choice in cast("list[JsonValue]", body["choices"]):
            for part in parts_of(choice) if isinstance(choice, dict) else ():
                if part.get("error"):
                    return {"error": part["error"]}
    return body


def _unwrap(value: JsonValue, search: _Search, depth: int) -> None:
    """Collect the error objects, from the outermost to the innermost."""
    search.budget.values -= 1
    if search.budget.values < 0 or depth < 0:
        return
    if isinstance(value, str):
        inner = _extract_json(value, search)
        if inner is not None:
            _unwrap(inner, search, depth - 1)
        elif not search.text:
            search.text = value.strip()
    elif isinstance(value, list):
        for item in value[:1]:
            _unwrap(item, search, depth - 1)
    elif isinstance(value, dict):
        _unwrap_object(value, search, depth)


def _unwrap_object(value: JsonObject, search: _Search, depth: int) -> None:
    numbered = next((inner for key, inner in value.items() if key.isdigit() and isinstance(inner, (dict, list))), None)
    if numbered is not None and not any(key in value for key in ("error", *_MESSAGE_KEYS)):
        _unwrap(numbered, search, depth - 1)
        return
    search.layers.append(value)
    search.code = next(_codes_of(value), search.code)
    known = len(search.layers)
    number = value.get("error")
    if isinstance(number, (int, float)) and not isinstance(number, bool):
        search.text = str(number)
    for key in _WRAPPINGS:
        inner = value.get(key)
        if isinstance(inner, str):
            inner = _extract_json(inner, search)
        if isinstance(inner, list):
            # Unwrap a list only if it has exactly one error. If it has several, the exception's message quotes all of
            # them. A validation error of FastAPI, which has the key `loc`, is never unwrapped.
            inner = inner[0] if len(inner) == 1 and _is_error(inner[0]) else None
            inner = None if isinstance(inner, dict) and "loc" in inner else inner
        if (isinstance(inner, dict) and inner and key == "error") or _is_error(inner):
            _unwrap(inner, search, depth - 1)
            if len(search.layers) > known:
                return


def _is_error(value: JsonValue) -> bool:
    """Return whether `value` is certainly an error.

    A value that only resembles an error may be a part of the request that the server repeats, such as a schema.
    """
    if isinstance(value, list):
        return bool(value) and _is_error(value[0])
    if not isinstance(value, dict):
        return False
    if value.get("error") and isinstance(value["error"], (dict, str, list)):
        return True
    if value.get("raw") and isinstance(value["raw"], (dict, str, list)):
        return True
    if any(key in value for key in _CODE_KEYS) and any(value.get(key) for key in _MESSAGE_KEYS):
        return True
    return any(key.isdigit() and _is_error(inner) for key, inner in list(value.items())[:1])


def _extract_json(text: str, search: _Search) -> JsonValue:
    """Return the error in `text`, or `None`.

    The error may be JSON, JSON in a JSON string, or bytes or a dictionary as Python prints them.
    """
    budget = search.budget
    text = text[: min(_LONGEST_SEARCH, max(0, budget.characters))]
    if not any(sign in text for sign in ("{", "\\x7b", "\\u007b")):
        return None
    position = 0
    for _ in range(_MOST_STARTS):
        match = _START.search(text, position)
        budget.characters -= len(text) - position
        if match is None or budget.characters < 0:
            break
        value, end = _read_at(text, match)
        if isinstance(value, str):
            # The value is a JSON string or printed bytes that contain JSON.
            value = _extract_json(value, search)
        if _is_error(value):
            is_all = not text[: match.start()].strip() and not text[end:].strip()
            if is_all or _matches_status(value, search):
                return value
        position = end if end > match.start() else match.end()
    return None


def _matches_status(value: JsonValue, search: _Search) -> bool:
    """Return whether an error that was found inside a text fits the HTTP status.

    If it does not fit, it may come from the user's prompt, which the text may quote.
    """
    if search.code not in _REFUSALS:
        return True
    inner = _Search(0, search.budget)
    _unwrap(value, inner, _DEEPEST)
    layers = inner.layers[::-1]
    numbers = [code for layer in layers for code in _codes_of(layer)]
    meant = [CODES_OF_WORDS[word] for layer in layers for word in _words_of(layer) if word in CODES_OF_WORDS]
    return all(code in _REFUSALS for code in numbers or meant)


def _read_at(text: str, match: re.Match[str]) -> tuple[JsonValue, int]:
    """Return the JSON value or the printed Python value that begins at `match`, and the position of its end.

    The value is `None` if it cannot be read. The position is 0 if the end of the value is not known.
    """
    start = match.start()
    if match[0].startswith("b"):
        literal = cast("re.Match[str]", _BYTES.match(text, start))
        return _read_bytes(literal[0]), literal.end()
    try:
        return cast("tuple[JsonValue, int]", _DECODER.raw_decode(text, start))
    except (ValueError, RecursionError):
        pass
    if match[0] != '"' and re.match(r"[\[{\s]{1,8}\\+[\"nrt]", text[start : start + 32]):
        return _read_escaped(text[start:]), 0
    end = _end_of_bracket(text, start)
    return (_read_literal(text[start:end]), end) if end else (None, 0)


def _read_bytes(literal: str) -> JsonValue:
    """Return the text in bytes that Python printed, even if the end of the bytes is missing."""
    value = _read_literal(literal)
    return literal[2:].replace("\\n", "\n").replace("\\'", "'").replace("\\\\", "\\") if value is None else value


def _read_escaped(text: str) -> JsonValue:
    r"""Return the value of JSON whose quotation marks are escaped: `{\"error\": …}`."""
    for _ in range(3):
        text = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text)
        try:
            return cast("JsonValue", _DECODER.raw_decode(text)[0])
        except (ValueError, RecursionError):
            continue
    return None


def _end_of_bracket(text: str, start: int) -> int:
    """Return the position after the bracket that closes the bracket at `start`.

    Return 0 if the closing bracket is missing, or if brackets are nested too deep.
    """
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text, start, start + _LONGEST_LITERAL):
        if found[0] in "[{(":
            depth += 1
        elif found[0] in "]})":
            depth -= 1
        if depth > _MOST_BRACKETS:
            return 0
        if depth <= 0:
            return found.end()
    return 0


def _read_literal(text: str) -> JsonValue:
    """Return the value of a printed Python dictionary, list or bytes."""
    if len(text) > _LONGEST_LITERAL:
        return None
    try:
        value: object = ast.literal_eval(text)
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        # `json.dumps` raises an error for values that JSON does not have, such as sets and complex numbers.
        return cast("JsonValue", json.loads(json.dumps(value)))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _read_reason(error: JsonValue, depth: int = _DEEPEST) -> str:
    """Return the server's message in `error`: a text, a list of errors, or an object with a key of `_REASONS`."""
    if isinstance(error, str):
        return error.strip()
    if depth < 0:
        return ""
    if isinstance(error, list):
        return "; ".join(reason for item in error[:_MOST_VALUES] if (reason := _read_reason(item, depth - 1)))
    if not isinstance(error, dict):
        return ""
    place = error.get("loc")
    where = f"{'.'.join(map(str, place))}: " if isinstance(place, list) and place else ""
    reason = next((reason for name in _REASONS if (reason := _read_reason(error.get(name), depth - 1))), "")
    return f"{where}{reason}" if reason else ""


def _codes_of(layer: JsonObject) -> Iterator[int]:
    for key in ("code", "status_code", "statusCode", "status", "http_status", "error_code", "errorCode", "err_code"):
        code = code_of(layer.get(key))
        if code is not None:
            yield code


def _words_of(layer: JsonObject) -> Iterator[str]:
    """Yield the codes, types and reasons of an error, the most specific first."""
    for key in ("code", "status", "error_type", "type", "reason"):
        value = layer.get(key)
        if isinstance(value, str) and 0 < len(value) <= _MOST_VALUES and not value.isdigit():
            yield value.lower()
    error = layer.get("error")
    if isinstance(error, str) and re.fullmatch(r"[A-Za-z_]{1,64}", error):
        yield error.lower()
    for detail in _details_of(layer):
        reason = detail.get("reason")
        if isinstance(reason, str):
            yield reason.lower()


def _details_of(layer: JsonObject) -> tuple[JsonObject, ...]:
    details = layer.get("details")
    return tuple(item for item in details if isinstance(item, dict)) if isinstance(details, list) else ()


def _status_of(layers: list[JsonObject]) -> str | None:
    for layer in layers:
        for key in ("status", "type", "code", "error_type"):
            value = layer.get(key)
            if isinstance(value, str) and value and not code_of(value):
                return cut(value)
    return None


def _decide_code(layers: list[JsonObject], words: tuple[str, ...], default_code: int) -> int:
    """Return the status code of an error.

    It comes from the first of these sources that has one:

    - the numbers in the error objects, the innermost first
    - the HTTP status, if it shows the cause of the error
    - the words of the error, such as its type
    """
    number = next((code for layer in layers for code in _codes_of(layer)), None)
    if number is not None:
        return number
    meant = [word for word in words if word in CODES_OF_WORDS]
    exact = [word for word in meant if word not in VAGUE_WORDS]
    if exact and (default_code < FIRST_ERROR or default_code in _VAGUE_STATUSES):
        return CODES_OF_WORDS[exact[0]]
    if default_code >= FIRST_ERROR:
        return default_code
    # Here, the HTTP status means success. For example, the error came in a stream that had begun with status 200. So
    # use the status of the error's first word in `CODES_OF_WORDS`, even if this word is in `VAGUE_WORDS`.
    return CODES_OF_WORDS[meant[0]] if meant else 500

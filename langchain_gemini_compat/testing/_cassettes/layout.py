"""The layout of a cassette: requests and responses as JSON values, and the bytes that a replay sends.

JSON bodies are written as YAML, so that a person can read and compare them. A body that YAML would change is written as
text.
"""

from __future__ import annotations

import codecs
import json
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat.testing._cassettes.scrub import change_texts
from langchain_gemini_compat.testing._cassettes.split_secrets import hide_in_event_stream, hide_split_secrets
from langchain_gemini_compat.testing._model.json_values import as_list, as_object, as_text
from langchain_gemini_compat.testing._server.difference import encode_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx2

    from langchain_gemini_compat.testing._cassettes.scrub import Scrubber
    from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue

#: The headers of a response that a cassette contains. These headers decide how the package reads the reply.
KEPT_HEADERS = ("content-type", "retry-after", "retry-after-ms", "location")
#: The keys under which a cassette stores a body, one for each form of a body. A response has at most one of these keys.
_BODIES = ("events", "json", "chunks", "text", "base64")
_DONE = "[DONE]"
_DATA = "data: "
#: Number of characters that a text keeps when it is cut.
_KEPT = 200


def describe_request(request: httpx2.Request, content: bytes, scrubber: Scrubber, max_body: int | None) -> JsonObject:
    """Return a request in the layout of a cassette. A replay compares requests in this layout.

    Args:
        request: The request. Its headers are not used, and may be missing.
        content: The body as sent.
        scrubber: Removes the secrets of the request.
        max_body: Maximum size of the body in bytes, or `None`.
    """
    found: JsonObject = {"method": request.method, "uri": scrubber.clean_url(request.url)}
    text = _decode(content)
    value = None if text is None else _parse(text)
    if value is not None:
        body: JsonObject = {"json": scrubber.clean_body(value)}
    else:
        body = {"text": scrubber.clean_text(text if text is not None else content.decode(errors="replace"))}
    return {**found, **_cut(body, max_body)}


def describe_body(pieces: Sequence[bytes], content_type: str, scrubber: Scrubber, max_body: int | None) -> JsonObject:
    """Return the body of a response in the layout of a cassette.

    Args:
        pieces: The body, decompressed, in the pieces in which it came.
        content_type: The value of the header `content-type`.
        scrubber: Removes the secrets of the request.
        max_body: Maximum size of the body in bytes, or `None`.
    """
    whole = b"".join(pieces)
    text = _decode(whole)
    is_stream = "event-stream" in content_type
    if text is None:
        # Binary data has no escape sequences, so a secret can be found by its plain bytes.
        cleaned = _clean_bytes(whole, scrubber, is_stream=is_stream)
        return _cut({"base64": b64encode(cleaned).decode()}, max_body)
    if not is_stream:
        value = _parse(text)
        clean: JsonObject = (
            {"text": scrubber.clean_text(text)} if value is None else {"json": scrubber.clean_value(value)}
        )
        return _cut(clean, max_body)
    events = _read_events(text)
    if events is not None:
        hide_split_secrets(events, scrubber.clean_text)
        return _cut({"events": scrubber.clean_value(events)}, max_body)
    return _cut({"chunks": [*_clean_chunks(_decode_pieces(pieces), scrubber)]}, max_body)


def render_chunks(response: JsonObject) -> list[bytes]:
    """Return the pieces in which a replay sends the body of a recorded `response`. Each event is one piece."""
    if "events" in response:
        return [_render_event(event) for event in as_list(response["events"])]
    if "chunks" in response:
        return [as_text(chunk).encode() for chunk in as_list(response["chunks"])]
    if "json" in response:
        return [encode_body(response["json"])]
    return [b64decode(as_text(response.get("base64"))) or as_text(response.get("text")).encode()]


def _render_event(event: JsonValue) -> bytes:
    return b"data: %s\n\n" % (_DONE.encode() if event == _DONE else encode_body(event))


def read_headers(response: JsonObject) -> list[tuple[str, str]]:
    """Return the headers of a recorded `response`."""
    headers = as_object(response.get("headers"))
    return [(name, as_text(value)) for name, values in headers.items() for value in as_list(values)]


def _decode(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _decode_pieces(pieces: Sequence[bytes]) -> list[str]:
    """Decode the pieces of a body. A character that is split between two pieces goes into the text of the second."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    return [text for piece in pieces if (text := decoder.decode(piece))]


def _clean_chunks(chunks: list[str], scrubber: Scrubber) -> list[str]:
    """Return the chunks without secrets. If a secret is split between chunks, return all chunks joined to one."""
    whole = scrubber.clean_text(hide_in_event_stream("".join(chunks), scrubber.clean_text))
    cleaned = [scrubber.clean_text(chunk) for chunk in chunks]
    return cleaned if "".join(cleaned) == whole else [whole]


def _clean_bytes(data: bytes, scrubber: Scrubber, *, is_stream: bool) -> bytes:
    text = data.decode("latin-1")
    cleaned = scrubber.clean_text(hide_in_event_stream(text, scrubber.clean_text) if is_stream else text)
    return data if cleaned == text else cleaned.encode("latin-1", errors="replace")


def _parse(text: str) -> JsonValue:
    """Return the value of the JSON `text`; `None` if `text` is not JSON, or if YAML would change the value."""
    try:
        value = cast("JsonValue", json.loads(text, object_pairs_hook=_unique))
        # This line only checks the value. `dumps` raises an error for infinity and NaN, which are not JSON. `encode`
        # raises one for lone surrogates, which a YAML file cannot contain.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    return value


def _unique(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    """Convert the members of a JSON object to a dict. Raise `ValueError` if two members have the same key."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A key is repeated.")
    return found


def _read_events(text: str) -> list[JsonValue] | None:
    """Return the JSON of the events, or `None` if the stream contains anything else, such as incomplete JSON."""
    *blocks, rest = text.split("\n\n")
    if rest:
        return None
    events: list[JsonValue] = []
    for block in blocks:
        data = block.removeprefix(_DATA) if block.startswith(_DATA) and "\n" not in block else ""
        event = _DONE if data == _DONE else _parse(data)
        if event is None or (isinstance(event, str) and event != _DONE):
            return None
        events.append(event)
    return events


def _cut(body: JsonObject, max_body: int | None) -> JsonObject:
    """Return `body`, cut if it exceeds `max_body` bytes.

    Long texts in the body are cut. If the body is still too large, only its size remains.
    """
    (name, value), *_ = body.items()
    size = len(encode_body(value))
    if max_body is None or size <= max_body:
        return body
    short = change_texts(value, _cut_text)
    return {name: short, "cut": size} if len(encode_body(short)) <= max_body else {"cut": size}


def _cut_text(text: str) -> str:
    return text if len(text) <= _KEPT else f"{text[:_KEPT]}… [cut: {len(text)} characters]"

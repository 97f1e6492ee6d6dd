"""Encodes a payload as the JSON body of a request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from langchain_gemini_compat._wire.shared_array import SharedArray
from langchain_gemini_compat.errors import UnsupportedParameterError

if TYPE_CHECKING:
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

# The encoder is built once, because `json.dumps` with non-default options builds a new encoder each time.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def encode_body(payload: JsonObject) -> bytes:
    """Return `payload` as JSON in UTF-8. A character that UTF-8 cannot encode becomes `?`.

    Raises:
        UnsupportedParameterError: A value is not JSON, or is NaN or infinite.
    """
    tools = payload.get("tools")
    try:
        return _join_tools(payload, tools) if isinstance(tools, SharedArray) else _encode(payload)
    except (TypeError, ValueError, RecursionError) as err:
        raise UnsupportedParameterError(
            f"The request cannot be written as JSON ({err}). Call `preview()` to find the value."
        ) from None


def _join_tools(payload: JsonObject, tools: SharedArray) -> bytes:
    """Encode `payload`. Its tools are encoded only once, because they are most of the body: 50 tools take 60 KB."""
    if tools.encoded is None:
        tools.encoded = _encode(tools)
    names = [*payload]
    place = names.index("tools")
    before, after = ({name: payload[name] for name in part} for part in (names[:place], names[place + 1 :]))
    members = (_encode(before)[1:-1], b'"tools":' + tools.encoded, _encode(after)[1:-1])
    return b"{%b}" % b",".join(filter(None, members))


def _encode(value: JsonValue) -> bytes:
    return _ENCODER.encode(value).encode(errors="replace")

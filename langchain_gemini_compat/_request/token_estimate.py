"""Estimates the number of tokens of messages and tools, offline.

The estimate counts one token for four Latin characters, and one token for each character of a wide script. An image
counts 258 tokens, the size of one tile (Google's page on token counting). The estimate has not been compared with
the server's count. Signatures and thoughts are not counted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._request.content_blocks import Media, Text, parse_block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

IMAGE_TOKENS = 258
#: Tokens for the role and the separators of a message.
_MESSAGE_TOKENS = 4
#: The first code point of the wide scripts, in which each character is one token.
_WIDE = "\u2e80"


def estimate_text(text: str) -> int:
    """Return the estimated number of tokens of `text`.

    >>> estimate_text("Why is the sky blue?"), estimate_text("")
    (5, 0)
    """
    wide = sum(char >= _WIDE for char in text)
    return wide + -(-(len(text) - wide) // 4)


def estimate_messages(messages: Sequence[BaseMessage], tools: Sequence[JsonObject]) -> int:
    """Return the estimated number of tokens of a request with `messages` and function declarations `tools`."""
    total = sum(_MESSAGE_TOKENS + _estimate_message(message) for message in messages)
    return total + sum(estimate_text(json.dumps(tool, default=str)) for tool in tools)


def _estimate_message(message: BaseMessage) -> int:
    content = cast("str | list[JsonValue]", message.content)
    blocks = [content] if isinstance(content, str) else content
    calls: list[object] = list(getattr(message, "tool_calls", ()))
    return sum(map(_estimate_block, blocks)) + sum(estimate_text(json.dumps(call, default=str)) for call in calls)


def _estimate_block(block: JsonValue) -> int:
    content = parse_block(block).content
    if isinstance(content, Media):
        return IMAGE_TOKENS
    return estimate_text(content.text) if isinstance(content, Text) else 0

"""Tests of the offline token estimate, which is close enough to decide when to summarize."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from outgoing import PLACES

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._request.token_estimate import IMAGE_TOKENS, estimate_messages, estimate_text

CHAT = ChatGeminiCompat(model="gemini-3.8-flash", **PLACES["ai_studio"])


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("four", 1), ("Write a story about a magic backpack.", 10), ("日本語", 3), ("ab日本", 3)],
)
def test_text_is_counted_by_its_script(text, tokens):
    """Four Latin characters are one token, one wide character is one token."""
    assert estimate_text(text) == tokens


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "base64": "iVBORw0KGgo=" * 1000, "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": "https://example.test/a.png"}},
        {"type": "media", "mime_type": "image/png", "data": b"x" * 10_000},
    ],
)
def test_media_count_as_one_tile(block):
    """An image counts the same for any size of its base64 data."""
    one = estimate_messages([HumanMessage("")], [])
    assert estimate_messages([HumanMessage([block])], []) - one == IMAGE_TOKENS


def test_message_counts_what_is_sent():
    """The estimate counts tool calls, but no thoughts and no signatures."""
    call = {"id": "1", "name": "f", "args": {"city": "Paris"}}
    plain = estimate_messages([AIMessage("Hi.")], [])
    assert estimate_messages([AIMessage("Hi.", tool_calls=[call])], []) > plain + 5
    heavy = AIMessage([{"type": "reasoning", "reasoning": "x" * 400}, {"type": "text", "text": "Hi."}],
                      additional_kwargs={"__gemini_function_call_thought_signatures__": {"1": "x" * 4000}})  # fmt: skip
    assert estimate_messages([heavy], []) == plain
    history = [SystemMessage("a"), HumanMessage("b"), ToolMessage("c", tool_call_id="1")]
    assert estimate_messages(history, []) == sum(estimate_messages([message], []) for message in history)


def test_tools_are_counted():
    """Tool declarations are part of each request."""

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    without = CHAT.get_num_tokens_from_messages([HumanMessage("Hi.")])
    assert CHAT.get_num_tokens_from_messages([HumanMessage("Hi.")], tools=[add]) > without + 20
    assert CHAT.get_num_tokens("Why is the sky blue?") >= 5

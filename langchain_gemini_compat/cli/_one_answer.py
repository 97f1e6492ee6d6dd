"""`chat -p`: prints one answer, as text or as one JSON object."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from langchain_core.messages import AIMessage, message_to_dict
from langchain_core.messages.utils import message_chunk_to_message

from langchain_gemini_compat._response.block_translator import describe_refusal

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk, BaseMessage

    from langchain_gemini_compat import ChatGeminiCompat
    from langchain_gemini_compat._wire.json_types import JsonObject
    from langchain_gemini_compat.cli._terminal import Screen


def print_text(model: ChatGeminiCompat, messages: list[BaseMessage], screen: Screen) -> AIMessage:
    """Print the text of the answer as it arrives, and return the answer."""
    # If another program reads the output, print the text without additional line breaks.
    put = screen.piece if screen.live else screen.verbatim
    total: AIMessageChunk | None = None
    try:
        for chunk in model.stream(messages):
            total = chunk if total is None else total + chunk
            put(chunk.text)
    finally:
        if total is not None and total.text:
            screen.line()
    return cast("AIMessage", message_chunk_to_message(total)) if total else AIMessage("")


def print_json(model: ChatGeminiCompat, messages: list[BaseMessage], screen: Screen) -> AIMessage:
    """Print the answer as one JSON object, and return the answer."""
    reply = model.invoke(messages)
    screen.verbatim(json.dumps(describe_reply(reply), ensure_ascii=False, indent=2, default=str) + "\n")
    return reply


def describe_reply(reply: AIMessage) -> JsonObject:
    """Return the answer as `--json` prints it. `message` has the form that LangChain's `messages_from_dict` reads."""
    metadata = reply.response_metadata
    return {
        "text": reply.text,
        "tool_calls": cast("JsonObject", reply.tool_calls),
        "refusal": describe_refusal(reply) or None,
        "finish_reason": metadata.get("finish_reason"),
        "model": metadata.get("model_name"),
        "usage": cast("JsonObject | None", reply.usage_metadata),
        "message": message_to_dict(reply),
    }


def report_ending(reply: AIMessage, errors: Screen) -> int:
    """Print on standard error why an answer is missing or incomplete; return 1 if the model refused, else 0."""
    refusal = describe_refusal(reply)
    if refusal:
        errors.line(f"error: The model refused to answer: {refusal}", "red")
        return 1
    if reply.response_metadata.get("finish_reason") == "length":
        text = "The answer is incomplete, because it reached the limit of output tokens (finish reason `length`)."
        errors.line(f"note: {text}", "yellow")
    return 0

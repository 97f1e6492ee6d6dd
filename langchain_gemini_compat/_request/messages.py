"""Encodes LangChain messages as wire messages.

The caller's messages are never modified. Each difference between a message and its wire form adds a note. Sources of
the server's rules: Google's OpenAI-compatibility pages, Google's page on thought signatures, and refusals in public
issues.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from langchain_core.messages import AIMessage, ChatMessage, FunctionMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_gemini_compat._request.assistant_messages import encode_assistant
from langchain_gemini_compat._request.content import encode_content, is_lost, read_media_options
from langchain_gemini_compat._request.content_blocks import parse_block, parse_content
from langchain_gemini_compat._request.encoding_context import EncodingContext
from langchain_gemini_compat._request.tool_results import encode_tool_result
from langchain_gemini_compat._request.turn_order import Placed, arrange_turns, leave_out_orphans
from langchain_gemini_compat.errors import InvalidHistoryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._request.tool_names import ToolNames
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue
    from langchain_gemini_compat._wire.notes import Note, NoteKind

_ROLES = {"developer": "system", "model": "assistant", "human": "user", "ai": "assistant"}
#: Characters that OpenAI refuses in the `name` of a message: 400 "string does not match pattern".
_REFUSED_IN_NAMES = re.compile(r"[\s<|\\/>]+")
#: Roles that Gemini accepts for a message other than a tool result.
_GEMINI_ROLES = ("system", "user", "assistant")


def encode_messages(
    messages: Sequence[BaseMessage], endpoint: Endpoint, family: ModelFamily, notes: list[Note], names: ToolNames
) -> list[JsonObject]:
    """Return a conversation as wire messages. Each change adds a note to `notes`.

    Raises:
        InvalidHistoryError: No message is left to send, or a message cannot be sent.
        UnsupportedContentError: The endpoint does not accept a content block.
    """
    context = EncodingContext(endpoint, family, names, notes)
    placed: list[Placed] = []
    media: list[JsonObject] = []
    for index, given in enumerate(messages):
        context.index = index
        # Check for `AIMessage` first to save time: `isinstance` with a pydantic class takes a microsecond if it returns
        # `False`.
        if isinstance(given, AIMessage) or not isinstance(given, (ToolMessage, FunctionMessage)):
            if media:
                placed.append(_media_message(media))
                media = []
            wire = _encode_message(given, context)
            if wire is not None:
                placed.append(Placed(wire, index))
            continue
        message = given if isinstance(given, ToolMessage) else _as_tool_message(given, context)
        if isinstance(message.content, list):
            _note_dropped_options(message, context)
        if context.calls.is_left_out(message.tool_call_id):
            context.note(f"The result of call {message.tool_call_id!r} was left out, because its call was left out.")
        else:
            result, following = _encode_tool_message(message, context)
            placed.append(Placed(result, index))
            media += following
    if media:
        placed.append(_media_message(media))
    encoded = arrange_turns(placed, family, notes) if endpoint.speaks_gemini else leave_out_orphans(placed, notes)
    if not encoded:
        raise InvalidHistoryError(
            "There is nothing to send: every message is empty, or is the result of a call that is not in the history. "
            "Add a message with content."
        )
    return encoded


def _media_message(parts: list[JsonObject]) -> Placed:
    """Return a user message with the media of the preceding tool results."""
    return Placed({"role": "user", "content": [*parts]})


def _as_tool_message(message: FunctionMessage, context: EncodingContext) -> ToolMessage:
    """Convert a `FunctionMessage`, which is OpenAI's older form of a tool result, to a `ToolMessage`.

    A `FunctionMessage` has no call id, so the id comes from the first call of the same function.
    """
    call_id = context.calls.id_of_function(message.name)
    return ToolMessage(content=message.content, name=message.name, tool_call_id=call_id)


def _encode_message(message: BaseMessage, context: EncodingContext) -> JsonObject | None:
    """Return the message in wire form; `None` for an empty message."""
    given = cast("str | list[JsonValue] | None", message.content) or ""
    if isinstance(given, list):
        _note_dropped_options(message, context)
        _note_lost_blocks(message, given, context)
    content = parse_content(given)
    if isinstance(message, AIMessage):
        encoded = encode_assistant(message, content, _encode_name(message, context), context)
    else:
        role = _encode_role(message, context)
        sent = encode_content(content, context.endpoint)
        content_value: JsonValue = sent if isinstance(sent, str) else [*sent]
        encoded = {"role": role, "content": content_value, **_encode_name(message, context)}
    own = message.additional_kwargs.get("extra_content")
    if own:
        encoded["extra_content"] = own
    if encoded.get("content") or encoded.get("tool_calls"):
        return encoded
    who = "Gemini refuses" if context.endpoint.speaks_gemini else "most servers refuse"
    context.note(f"An empty {message.type} message was left out: {who} empty contents.")
    return None


def _encode_name(message: BaseMessage, context: EncodingContext) -> JsonObject:
    """Return the wire field `name` for a message. Characters that OpenAI refuses in a name are replaced.

    For Gemini, the result is an empty object, because Gemini has no such field.
    """
    name = message.name
    if not name:
        return {}
    if not context.endpoint.speaks_gemini:
        # OpenAI answers 400 to a name with spaces, for example. The message stays in the history, so each later request
        # would get the same error.
        sent = _REFUSED_IN_NAMES.sub("_", name)
        if sent != name:
            text = f"The `name` {name!r} of a message was sent as {sent!r}: OpenAI refuses some of its characters."
            context.note_once(f"name {name}", text)
        return {"name": sent}
    if isinstance(message, AIMessage):
        # Agents put their name on each of their messages, so one note per request is enough. Its kind is "unsent",
        # because such a note raises no error, even with `strict`.
        text = "The `name` of an assistant message was left out: Gemini has no field for it."
        context.note_once("agent", text, "unsent")
    else:
        context.note_once("name", "The `name` of a message was left out: Gemini has no field for it.")
    return {}


def _encode_role(message: BaseMessage, context: EncodingContext) -> str:
    role = _role_of(message)
    if not context.endpoint.speaks_gemini or role in _GEMINI_ROLES:
        return role
    context.note(f"A message of role {role!r} was sent as a user message: Gemini does not accept this role.")
    return "user"


def _role_of(message: BaseMessage) -> str:
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, SystemMessage):
        return "system"
    if isinstance(message, ChatMessage):
        return _ROLES.get(message.role, message.role)
    raise InvalidHistoryError(
        f"A message of type {message.type!r} cannot be sent. Remove it from the history, or convert it to a "
        "HumanMessage, AIMessage, SystemMessage or ToolMessage."
    )


def _encode_tool_message(message: ToolMessage, context: EncodingContext) -> tuple[JsonObject, list[JsonObject]]:
    """Return the tool message in wire form, and those of its media that a later user message has to contain."""
    call_id, name = message.tool_call_id, message.name
    call = context.calls.take_call(call_id)
    if call:
        call_id, name = call.wire_id, call.name
    # `encode` adds a note if it changes the name. A tool result without its call is not sent, so it needs no note.
    is_sent = call is not None or context.calls.is_sent(call_id)
    name = context.names.encode(name, context.index) if name and is_sent else name
    found = encode_tool_result(message, context.endpoint, context.family, call_id=call_id, name=name)
    for text in found.notes:
        context.note(text, "tool_result")
    return found.message, found.following


def _note_dropped_options(message: BaseMessage, context: EncodingContext) -> None:
    """Add a note about each option of a content block that is left out, such as `cache_control`.

    Each option gets one note for all tool results of a request, and one for all other messages. With `strict`, notes
    about tool results raise no error: tool results stay in the history, so each later request would fail.
    """
    blocks = cast("list[JsonValue]", message.content)
    kind: NoteKind = "tool_result" if isinstance(message, ToolMessage) else "dropped"
    if context.endpoint.speaks_gemini and any(isinstance(block, dict) and "cache_control" in block for block in blocks):
        text = "`cache_control` of content blocks was left out: Gemini caches automatically."
        context.note_once(f"cache_control {kind}", text, kind)
    for name in {name: None for block in blocks for name in read_media_options(parse_block(block))}:
        text = f"`{name}` of a content block was left out: this API has no field for it."
        context.note_once(f"{name} {kind}", text, kind)


def _note_lost_blocks(message: BaseMessage, blocks: list[JsonValue], context: EncodingContext) -> None:
    """Add a note for each kind of tool call block or server tool block that is not sent."""
    calls = [*message.tool_calls, *message.invalid_tool_calls] if isinstance(message, AIMessage) else []
    call_ids = {call["id"] or "" for call in calls}
    for block in blocks:
        if isinstance(block, dict) and is_lost(block, call_ids):
            kind = str(block["type"])
            context.note_once(kind, f"A block of type {kind!r} was left out: the API has no form for it.")

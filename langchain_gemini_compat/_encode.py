"""LangChain messages to wire messages.

Its one rule: the caller's messages are never touched, and what is changed on the way is noted. Sources of the
server's rules: Google's OpenAI-compatibility pages and page on thought signatures, and refusals in public issues.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_gemini_compat._content import encode_content, encode_part, read_media, text_of
from langchain_gemini_compat._notes import Note
from langchain_gemini_compat._signatures import (
    STAND_IN,
    is_replayable,
    recover_call_extras,
    recover_message_extras,
)
from langchain_gemini_compat._tool_calls import LITELLM_MARK, split_litellm_id
from langchain_gemini_compat.errors import InvalidHistoryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_core.messages import ToolCall

    from langchain_gemini_compat._content import Media
    from langchain_gemini_compat._families import ModelFamily
    from langchain_gemini_compat._surfaces import Endpoint
    from langchain_gemini_compat._wire import JsonObject, JsonValue

_ROLES = {"developer": "system", "model": "assistant", "human": "user", "ai": "assistant"}


@dataclass(slots=True)
class MessageEncoder:
    """Encode one history for one endpoint; `notes` fills up on the way."""

    endpoint: Endpoint
    family: ModelFamily
    notes: list[Note] = field(default_factory=list)
    _call_names: dict[str, str] = field(default_factory=dict)
    #: Ids that have to go out another way: LiteLLM's gateway wants the signature back inside the id.
    _sent_ids: dict[str, str] = field(default_factory=dict)

    def encode(self, messages: Sequence[BaseMessage]) -> list[JsonObject]:
        """The wire's `messages`; raises `InvalidHistoryError` when nothing is left to send."""
        turn = _start_of_turn(messages)
        encoded: list[JsonObject] = []
        media: list[JsonObject] = []
        for position, message in enumerate(messages):
            if media and not isinstance(message, ToolMessage):
                encoded.append({"role": "user", "content": [*media]})
                media = []
            if isinstance(message, ToolMessage):
                encoded.append(self._encode_tool_message(message, media))
            else:
                encoded.extend(self._encode_message(message, in_turn=position > turn))
        if media:
            encoded.append({"role": "user", "content": [*media]})
        if self.endpoint.speaks_gemini:
            encoded = self._gather_system(encoded)
        if not encoded:
            raise InvalidHistoryError("There is nothing to send: every message is empty. Give one with content.")
        return encoded

    def _encode_message(self, message: BaseMessage, *, in_turn: bool) -> Iterable[JsonObject]:
        encoded: JsonObject
        if isinstance(message, AIMessage):
            encoded = self._encode_assistant(message, in_turn=in_turn)
        elif isinstance(message, FunctionMessage):
            encoded = {"role": "function", "name": message.name, "content": text_of(_blocks(message))}
        else:
            content = encode_content(_blocks(message), self.endpoint)
            encoded = {"role": _role(message), "content": content if isinstance(content, str) else [*content]}
            if message.name and not self.endpoint.speaks_gemini:
                encoded["name"] = message.name
        own = message.additional_kwargs.get("extra_content")
        if own:
            encoded["extra_content"] = own
        if encoded.get("content") or encoded.get("tool_calls"):
            return (encoded,)
        self._note(f"An empty {message.type} message was left out: Gemini refuses empty contents.")
        return ()

    def _encode_assistant(self, message: AIMessage, *, in_turn: bool) -> JsonObject:
        encoded: JsonObject = {"role": "assistant"}
        extras = recover_message_extras(message)
        fields = dict(extras.fields) if is_replayable(extras, self.endpoint) else {}
        reasoning_field = fields.pop("reasoning_field", None)
        thoughts = message.additional_kwargs.get("reasoning_content")
        if reasoning_field and thoughts and not self.endpoint.speaks_gemini:
            encoded[str(reasoning_field)] = thoughts
        calls = self._encode_calls(message, in_turn=in_turn)
        content = self._assistant_content(message, fields)
        if calls and content and not self._takes_text_beside_calls():
            self._note("Text beside tool calls was left out: this model on Vertex refuses the two together.")
            content = ""
        if content:
            encoded["content"] = content
        if calls:
            encoded["tool_calls"] = calls
        return {**encoded, **fields}

    def _takes_text_beside_calls(self) -> bool:
        return self.endpoint.surface != "vertex" or self.endpoint.self_deployed or self.family.text_beside_calls

    def _assistant_content(self, message: AIMessage, fields: JsonObject) -> JsonValue:
        """A string, unless the answer holds media: then parts, the signature with the first of them."""
        blocks = _blocks(message)
        if isinstance(blocks, str) or not any(isinstance(block, dict) and read_media(block) for block in blocks):
            return text_of(blocks)
        parts = cast("list[JsonValue]", encode_content(blocks, self.endpoint))
        extra = fields.pop("extra_content", None)
        for part in parts:
            # Every image of an edited turn is signed; the reply carries one signature for the message.
            if extra and isinstance(part, dict) and part.get("type") != "text":
                part["extra_content"] = extra
                break
        return parts

    def _encode_calls(self, message: AIMessage, *, in_turn: bool) -> list[JsonValue]:
        encoded: list[JsonValue] = []
        for position, call in enumerate(message.tool_calls):
            call_id = call["id"] or f"call_{len(self._call_names)}"
            fields = self._call_fields(message, call, position, in_turn=in_turn)
            sent_id = split_litellm_id(call_id)[0]
            signature = fields.pop("litellm_signature", None)
            if fields.pop("litellm_id", None) and signature:
                sent_id = f"{sent_id}{LITELLM_MARK}{signature}"
            self._call_names[call_id] = call["name"]
            self._sent_ids[call_id] = sent_id
            arguments = json.dumps(call["args"], ensure_ascii=False)
            function: JsonObject = {"name": call["name"], "arguments": arguments}
            encoded.append({"id": sent_id, "type": "function", "function": function, **fields})
        return encoded

    def _call_fields(self, message: AIMessage, call: ToolCall, position: int, *, in_turn: bool) -> JsonObject:
        extras = recover_call_extras(message, call["id"] or "", position)
        fields: JsonObject = dict(extras.fields) if is_replayable(extras, self.endpoint) else {}
        if self.endpoint.speaks_gemini:
            # Gateways' own fields would be unknown keys here.
            fields = {"extra_content": fields["extra_content"]} if fields.get("extra_content") else {}
            needs_one = in_turn and position == 0 and self.family.signatures_demanded
            if needs_one and not fields and not _signed_beside(message):
                text = f"Call {call['name']!r} has no signature of this model: stand-in sent."
                self.notes.append(Note("stand_in", text))
                fields = {"extra_content": {"google": {"thought_signature": STAND_IN}}}
        return fields

    def _encode_tool_message(self, message: ToolMessage, media: list[JsonObject]) -> JsonObject:
        """A result; images go beside it where Google answers, into a user message after it elsewhere."""
        encoded: JsonObject = {
            "role": "tool",
            "tool_call_id": self._sent_ids.get(message.tool_call_id, message.tool_call_id),
        }
        name = self._call_names.get(message.tool_call_id) or message.name
        if name:
            # AI Studio answers 400 without it; it has to be the function's name, not the id.
            encoded["name"] = name
        blocks = _blocks(message)
        found = [] if isinstance(blocks, str) else _media_in(blocks)
        text = _tool_text(blocks)
        if found and self.endpoint.speaks_gemini:
            parts = [_result_part(item, f"media_{number}") for number, item in enumerate(found, 1)]
            encoded["content"] = _result_content(text, len(parts))
            encoded["extra_content"] = {"google": {"parts": [*parts]}}
        else:
            encoded["content"] = text or "{}"
            media.extend(filter(None, (encode_part(block, self.endpoint) for _, block in _media_blocks(blocks))))
        own = message.additional_kwargs.get("extra_content")
        return {**encoded, "extra_content": own} if own else encoded

    def _gather_system(self, encoded: list[JsonObject]) -> list[JsonObject]:
        """All instructions in one system message at the front: Google hoists them there anyway."""
        system = [message for message in encoded if message["role"] == "system"]
        rest = [message for message in encoded if message["role"] != "system"]
        if not rest and system:
            self._note("The instructions were sent as a user message: there was no other.")
            return [{**system[0], "role": "user"}, *({**message, "role": "user"} for message in system[1:])]
        if len(system) <= 1:
            return [*system, *rest]
        if any("extra_content" in message or isinstance(message["content"], list) for message in system):
            return [*system, *rest]
        text = "\n\n".join(str(message["content"]) for message in system)
        self._note(f"{len(system)} system messages were joined into one at the front.")
        return [{"role": "system", "content": text}, *rest]

    def _note(self, message: str) -> None:
        self.notes.append(Note("repaired", message))


def _blocks(message: BaseMessage) -> str | list[JsonValue]:
    return cast("str | list[JsonValue]", message.content)


def _role(message: BaseMessage) -> str:
    if isinstance(message, SystemMessage):
        return "system"
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, ChatMessage):
        return _ROLES.get(message.role, message.role)
    raise InvalidHistoryError(f"A message of type {message.type!r} cannot be sent to a model.")


def _start_of_turn(messages: Sequence[BaseMessage]) -> int:
    """Position of the newest user message with content: what comes after it is the current turn."""
    for position in range(len(messages) - 1, -1, -1):
        if isinstance(messages[position], HumanMessage) and messages[position].content:
            return position
    return -1


def _signed_beside(message: AIMessage) -> bool:
    """Another call of the step carries the signature, or the message itself does."""
    others = (recover_call_extras(message, call["id"] or "", position).signature
              for position, call in enumerate(message.tool_calls) if position)  # fmt: skip
    return any(others)


def _media_blocks(blocks: str | Sequence[JsonValue]) -> list[tuple[Media, JsonObject]]:
    if isinstance(blocks, str):
        return []
    readable = [(read_media(block), block) for block in blocks if isinstance(block, dict)]
    return [(media, block) for media, block in readable if media is not None]


def _media_in(blocks: Sequence[JsonValue]) -> list[Media]:
    return [media for media, _ in _media_blocks(blocks)]


def _tool_text(blocks: str | Sequence[JsonValue]) -> str:
    """Text as it is; blocks that are neither text nor media (a tool's own JSON) as JSON."""
    if isinstance(blocks, str):
        return blocks
    texts: list[str] = []
    for block in blocks:
        if isinstance(block, str):
            texts.append(block)
        elif isinstance(block, dict) and isinstance(block.get("text"), str):
            texts.append(str(block["text"]))
        elif not (isinstance(block, dict) and read_media(block)):
            texts.append(json.dumps(block, ensure_ascii=False))
    return "\n".join(texts)


def _result_part(media: Media, name: str) -> JsonObject:
    """`file_data` or `inline_data`, as Google's examples page shows for multimodal function responses."""
    head: JsonObject = {"mime_type": media.known_mime_type, "display_name": name}
    url = media.url or media.file_id or ""
    if media.data is None and url.startswith("data:"):
        mime, _, data = url[5:].partition(";base64,")
        return {"inline_data": {"mime_type": mime, "display_name": name, "data": data}}
    if media.data is not None:
        return {"inline_data": {**head, "data": media.data}}
    return {"file_data": {**head, "file_uri": url}}


def _result_content(text: str, count: int) -> str:
    """JSON that refers to each part by its name, the tool's own text with it."""
    content: JsonObject = {"output": text} if text else {}
    references: JsonObject = {f"media_{number}": {"$ref": f"media_{number}"} for number in range(1, count + 1)}
    return json.dumps({**content, **references}, ensure_ascii=False)

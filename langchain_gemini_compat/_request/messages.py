"""LangChain messages to wire messages.

Its one rule: the caller's messages are never touched, and what is changed on the way is noted. Sources of the
server's rules: Google's OpenAI-compatibility pages and page on thought signatures, and refusals in public issues.
"""

from __future__ import annotations

import json
import re
from collections import deque
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
from langchain_core.messages.tool import tool_call

from langchain_gemini_compat._request.content import (
    block_kind,
    encode_content,
    encode_part,
    is_lost,
    own_extra,
    read_media_options,
    read_refusal,
    text_of,
)
from langchain_gemini_compat._request.tool_names import ToolNames
from langchain_gemini_compat._request.tool_results import encode_tool_result
from langchain_gemini_compat._request.turn_order import Placed, arrange_turns, leave_out_orphans
from langchain_gemini_compat._signatures import (
    LITELLM_MARK,
    block_signature,
    recover_extras,
    select_fields,
    split_litellm_id,
)
from langchain_gemini_compat._wire.notes import Note
from langchain_gemini_compat._wire.unknown_fields import MESSAGE_KEYS, REASONING_KEYS
from langchain_gemini_compat.errors import InvalidHistoryError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from langchain_core.messages import ToolCall

    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._signatures import Extras
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue
    from langchain_gemini_compat._wire.notes import NoteKind

_ROLES = {"developer": "system", "model": "assistant", "human": "user", "ai": "assistant"}
#: What OpenAI refuses in the `name` of a message: 400 "string does not match pattern".
_REFUSED_IN_NAMES = re.compile(r"[\s<|\\/>]+")
#: What a message without calls and results may be to Gemini.
_SPEAKERS = ("system", "user", "assistant")

#: Made once: `json.dumps` makes one for each call.
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)
_STRICT_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str)


@dataclass(slots=True)
class MessageEncoder:
    """Encode one history for one endpoint; `notes` fills up on the way."""

    endpoint: Endpoint
    family: ModelFamily
    notes: list[Note] = field(default_factory=list)
    names: ToolNames = field(default_factory=lambda: ToolNames((), [], restricted=False))
    #: By the caller's call id: id on the wire and function name of the calls sent for it that wait for a result.
    _waiting: dict[str, deque[tuple[str, str]]] = field(default_factory=dict)
    #: The ids on the wire of all calls so far.
    _sent_ids: set[str] = field(default_factory=set)
    #: The caller's ids of calls that were left out.
    _left_out: set[str] = field(default_factory=set)
    _calls_made: int = 0
    #: The place, from 0, of the caller's message at hand.
    _index: int | None = None
    #: The kinds of losses that were told; of each the first is.
    _told: set[str] = field(default_factory=set)

    def encode(self, messages: Sequence[BaseMessage]) -> list[JsonObject]:
        """The wire's `messages`; raises `InvalidHistoryError` when nothing is left to send."""
        placed: list[Placed] = []
        following: list[JsonObject] = []
        for self._index, given in enumerate(messages):
            message = self._as_tool_message(given) if isinstance(given, FunctionMessage) else given
            if not isinstance(message.content, str):
                self._note_left_out(message)
            if isinstance(message, ToolMessage) and message.tool_call_id in self._left_out:
                self._note(f"The result of call {message.tool_call_id!r} was left out, because its call was left out.")
                continue
            if isinstance(message, ToolMessage):
                result, parts = self._encode_tool_message(message)
                placed.append(Placed(result, self._index))
                following += parts
                continue
            following = _flush(following, placed)
            wire = self._encode_message(message)
            if wire is not None:
                placed.append(Placed(wire, self._index))
        _flush(following, placed)
        if self.endpoint.speaks_gemini:
            encoded = arrange_turns(placed, self.family, self.notes)
        else:
            encoded = leave_out_orphans(placed, self.notes)
        if not encoded:
            text = "There is nothing to send: every message is empty, or the result of a call that is gone."
            raise InvalidHistoryError(f"{text} Give one with content.")
        return encoded

    def _as_tool_message(self, message: FunctionMessage) -> ToolMessage:
        """The result of a call that had no id: LangChain's messages of OpenAI's first function calling."""
        found = next((call_id for call_id, calls in self._waiting.items() if calls[0][1] == message.name), "")
        return ToolMessage(content=message.content, name=message.name, tool_call_id=found)

    def _encode_message(self, message: BaseMessage) -> JsonObject | None:
        if not isinstance(message.content, str):
            self._note_lost_blocks(message)
        if isinstance(message, AIMessage):
            encoded: JsonObject = self._encode_assistant(message)
        else:
            encoded = {"role": self._role(message), "content": self._content(message)}
            if message.name and not self.endpoint.speaks_gemini:
                encoded["name"] = self._name(message.name)
            elif message.name:
                self._note_once("name", "The `name` of a message was left out: Gemini has no place for it.")
        own = message.additional_kwargs.get("extra_content")
        if own:
            encoded["extra_content"] = own
        if encoded.get("content") or encoded.get("tool_calls"):
            return encoded
        who = "Gemini refuses" if self.endpoint.speaks_gemini else "most servers refuse"
        self._note(f"An empty {message.type} message was left out: {who} empty contents.")
        return None

    def _name(self, name: str) -> str:
        """Return a name that OpenAI accepts. Spaces and some other characters give a 400 on every turn."""
        sent = _REFUSED_IN_NAMES.sub("_", name)
        if sent != name:
            self._note_once(
                f"name {name}", f"The `name` {name!r} of a message was sent as {sent!r}: OpenAI refuses it."
            )
        return sent

    def _role(self, message: BaseMessage) -> str:
        role = _role(message)
        if not self.endpoint.speaks_gemini or role in _SPEAKERS:
            return role
        self._note(f"A message of role {role!r} was sent as the user's: Gemini takes no such message.")
        return "user"

    def _content(self, message: BaseMessage) -> JsonValue:
        content = encode_content(_blocks(message), self.endpoint)
        return content if isinstance(content, str) else [*content]

    def _encode_assistant(self, message: AIMessage) -> JsonObject:
        """Text, calls and what came with them; a key without a value is left out, `null` is refused."""
        tool_calls = _calls_of(message)
        extras = recover_extras(message, tool_calls)
        fields = select_fields(extras.own, self.endpoint)
        encoded: JsonObject = {"role": "assistant"}
        if message.name and not self.endpoint.speaks_gemini:
            encoded["name"] = self._name(message.name)
        elif message.name and "agent" not in self._told:
            # Agents name each of their messages, so one note a request is enough, and `strict` raises none.
            self._told.add("agent")
            text = "The `name` of an assistant message was left out: Gemini has no place for it."
            self.notes.append(Note("unsent", text, self._index))
        reasoning_field = fields.pop("reasoning_field", None)
        thoughts = message.additional_kwargs.get("reasoning_content")
        for key in reasoning_field if isinstance(reasoning_field, list) else [reasoning_field]:
            if key in REASONING_KEYS and not self.endpoint.speaks_gemini:
                encoded[str(key)] = thoughts or ""
        for call in message.invalid_tool_calls:
            if (call["args"] or "").strip():
                self._leave_out(call["id"])
                self._note(f"Tool call {call['name']!r} was left out: its arguments are no JSON object.")
        calls = self._encode_calls(tool_calls, extras.calls)
        content = self._assistant_content(message, fields)
        if calls and content and not self.endpoint.takes_text_beside_calls(self.family):
            self._note("Text beside tool calls was left out: this model on Vertex refuses the two together.")
            fields.pop("extra_content", None)
            content = ""
        if content:
            encoded["content"] = content
        if calls:
            encoded["tool_calls"] = calls
        return {**encoded, **{key: value for key, value in fields.items() if key not in MESSAGE_KEYS}}

    def _leave_out(self, call_id: str | None) -> None:
        """Leave out a call, and with it the result that belongs to it."""
        if call_id:
            self._left_out.add(call_id)
            self._waiting.pop(call_id, None)

    def _assistant_content(self, message: AIMessage, fields: JsonObject) -> JsonValue:
        """A string, unless the answer holds media: then parts, the signature with the first of them.

        Texts are parts too where one of them has `extra_content` of its own.
        """
        blocks = self._said(message)
        if isinstance(blocks, str):
            return blocks
        kept = [block for block in blocks if self._is_assistant_content(block)]
        if not any(block_kind(block) == "media" for block in kept):
            return self._text_parts(kept, fields) if any(map(own_extra, kept)) else text_of(kept)
        extra = fields.pop("extra_content", None)
        parts: list[JsonValue] = []
        for block in kept:
            part = encode_part(block, self.endpoint)
            if part is not None and isinstance(block, dict) and part["type"] != "text":
                extra = self._sign_media(part, block, extra)
            if part is not None:
                parts.append(part)
        return parts

    def _text_parts(self, blocks: Sequence[JsonValue], fields: JsonObject) -> JsonValue:
        """The message's own signature goes on the last part, unless that has something there."""
        parts = [part for block in blocks if (part := encode_part(block, self.endpoint))]
        if parts and "extra_content" not in parts[-1] and "extra_content" in fields:
            parts[-1]["extra_content"] = fields.pop("extra_content")
        return [*parts]

    def _said(self, message: AIMessage) -> str | list[JsonValue]:
        """The content, with a refusal as the text that it is."""
        blocks, given = _blocks(message), message.additional_kwargs.get("refusal")
        if isinstance(blocks, str) and not given:
            return blocks
        said: list[JsonValue] = [blocks] if isinstance(blocks, str) else blocks
        refusals = [] if isinstance(blocks, str) else list(map(read_refusal, blocks))
        if any(refusals):
            pairs = zip(said, refusals, strict=True)
            said = [{"type": "text", "text": refusal} if refusal else block for block, refusal in pairs]
        elif isinstance(given, str) and given and given not in text_of(blocks):
            said = [*said, {"type": "text", "text": given}]
        else:
            return blocks
        self._note_once("refusal", "A refusal in an assistant message was sent as text: it is what the model said.")
        return said

    def _sign_media(self, part: JsonObject, block: JsonObject, extra: JsonValue) -> JsonValue:
        """Every image of an edited turn is signed; Vertex gives one signature for the message, others one each."""
        signature = block_signature(block)
        if "extra_content" in part:
            return extra
        if extra:
            part["extra_content"] = extra
        elif signature and self.endpoint.speaks_gemini:
            part["extra_content"] = {"google": {"thought_signature": signature}}
        return None

    def _is_assistant_content(self, block: JsonValue) -> bool:
        kind = block_kind(block)
        if kind == "unknown":
            name = block.get("type") if isinstance(block, dict) else type(block).__name__
            self._note(f"A block of type {name!r} in an assistant message was left out: it has no form on the wire.")
        return kind in ("text", "media")

    def _encode_calls(self, tool_calls: Sequence[ToolCall], extras: Sequence[Extras]) -> list[JsonValue]:
        encoded: list[JsonValue] = []
        siblings: set[str] = set()
        waiting: dict[str, deque[tuple[str, str]]] = {}
        for call, of_call in zip(tool_calls, extras, strict=True):
            if not call["name"]:
                self._note("A tool call without a name was left out: nobody can run it, and no server takes it.")
                self._leave_out(call["id"])
                continue
            fields = select_fields(of_call, self.endpoint)
            given = call["id"] or ""
            signature = fields.pop("litellm_signature", None)
            is_litellm = fields.pop("litellm_id", None)
            own_id = fields.pop("server_id", None)
            sent = str(own_id or split_litellm_id(given)[0] or f"call_{self._calls_made}")
            sent = _distinct(sent, siblings)
            if is_litellm and signature:
                # LiteLLM's gateway wants the signature back inside the id.
                sent = f"{sent}{LITELLM_MARK}{signature}"
            self._calls_made += 1
            siblings.add(sent)
            waiting.setdefault(given, deque()).append((sent, call["name"]))
            name, arguments = self.names.encode(call["name"], self._index), self._encode_arguments(call)
            more = fields.pop("function", None)
            beside = more if isinstance(more, dict) else {}
            function: JsonObject = {**beside, "name": name, "arguments": arguments}
            encoded.append({"id": sent, "type": "function", "function": function, **fields})
        self._left_out -= waiting.keys()
        self._waiting.update(waiting)
        self._sent_ids |= siblings
        return encoded

    def _encode_arguments(self, call: ToolCall) -> str:
        """JSON; what has no form there becomes a string (a date), or `null` (NaN), which is said."""
        try:
            try:
                return _STRICT_JSON.encode(call["args"])
            except ValueError:
                text = _JSON.encode(json.loads(_JSON.encode(call["args"]), parse_constant=_to_null))
        except (TypeError, ValueError, RecursionError) as error:
            place = f"Message {self._index}: the arguments of tool call {call['name']!r}"
            raise InvalidHistoryError(f"{place} have no form in JSON ({error}).") from error
        self._note(
            f"NaN or infinity in the arguments of tool call {call['name']!r} went out as null: JSON has neither."
        )
        return text

    def _encode_tool_message(self, message: ToolMessage) -> tuple[JsonObject, list[JsonObject]]:
        waiting = self._waiting.get(message.tool_call_id)
        call_id, name = message.tool_call_id, message.name
        if waiting:
            # A result that comes twice belongs to the last call of that id.
            call_id, name = waiting.popleft() if len(waiting) > 1 else waiting[0]
        # The result of no call is not sent, so that nothing is to be said of its name.
        is_sent = waiting or call_id in self._sent_ids
        name = self.names.encode(name, self._index) if name and is_sent else name
        found = encode_tool_result(message, self.endpoint, self.family, call_id=call_id, name=name)
        self.notes += [Note("tool_result", text, self._index) for text in found.notes]
        return found.message, found.following

    def _note_left_out(self, message: BaseMessage) -> None:
        """Add a note once for messages and once for tool results. For tool results `strict` raises no error."""
        blocks: object = message.content
        if not isinstance(blocks, list):
            return
        kind: NoteKind = "tool_result" if isinstance(message, ToolMessage) else "dropped"
        if self.endpoint.speaks_gemini and any(
            isinstance(block, dict) and "cache_control" in block for block in blocks
        ):
            text = "`cache_control` of content blocks was left out: Gemini caches by itself."
            self._note_left_out_once(kind, "cache_control", text)
        for name in {name: None for block in blocks for name in read_media_options(block)}:
            text = f"`{name}` of a content block was left out: this API has no place for it."
            self._note_left_out_once(kind, name, text)

    def _note_left_out_once(self, kind: NoteKind, name: str, text: str) -> None:
        told = f"{name} {kind}"
        if told not in self._told:
            self._told.add(told)
            self.notes.append(Note(kind, text, self._index))

    def _note_lost_blocks(self, message: BaseMessage) -> None:
        blocks = _blocks(message)
        if isinstance(blocks, str):
            return
        made = [*message.tool_calls, *message.invalid_tool_calls] if isinstance(message, AIMessage) else []
        calls = {call["id"] or "" for call in made}
        for block in blocks:
            if isinstance(block, dict) and is_lost(block, calls):
                kind = str(block["type"])
                self._note_once(kind, f"A block of type {kind!r} was left out: it has no form on the wire.")

    def _note_once(self, kind: str, message: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._note(message)

    def _note(self, message: str) -> None:
        self.notes.append(Note("repaired", message, self._index))


def _flush(following: list[JsonObject], placed: list[Placed]) -> list[JsonObject]:
    if following:
        placed.append(Placed({"role": "user", "content": [*following]}))
    return []


def _to_null(_: str) -> None:
    """What `NaN` and `Infinity` of Python's JSON become."""


def _distinct(call_id: str, taken: Collection[str]) -> str:
    """`call_id`, or with a number behind it where a sibling has it."""
    number, found = 1, call_id
    while found in taken:
        number += 1
        found = f"{call_id}_{number}"
    return found


def _blocks(message: BaseMessage) -> str | list[JsonValue]:
    return cast("str | list[JsonValue] | None", message.content) or ""


def _calls_of(message: AIMessage) -> list[ToolCall]:
    """The calls, and those that langchain-core calls invalid only because a dict history left arguments empty."""
    function = message.additional_kwargs.get("function_call")
    if isinstance(function, dict) and not message.tool_calls and not _is_copied(message):
        name, arguments = str(function.get("name")), _arguments_of(function)
        return [tool_call(name=name, args=arguments, id=f"function_{name}")]
    if not message.invalid_tool_calls:
        return message.tool_calls
    blank = (call for call in message.invalid_tool_calls if call["name"] and not (call["args"] or "").strip())
    return [*message.tool_calls, *(tool_call(name=str(call["name"]), args={}, id=call["id"]) for call in blank)]


def _is_copied(message: AIMessage) -> bool:
    """Google's own packages leave a copy of a call there, which stays when a person takes the call out."""
    return str(message.response_metadata.get("model_provider") or "").startswith("google")


def _role(message: BaseMessage) -> str:
    if isinstance(message, SystemMessage):
        return "system"
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, ChatMessage):
        return _ROLES.get(message.role, message.role)
    raise InvalidHistoryError(f"A message of type {message.type!r} cannot be sent to a model.")


def _arguments_of(function: JsonObject) -> dict[str, object]:
    try:
        arguments: object = json.loads(str(function.get("arguments")))
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}

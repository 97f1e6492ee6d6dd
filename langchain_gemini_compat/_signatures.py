"""Stores thought signatures on an `AIMessage` and finds them again.

A signature is stored once, in `additional_kwargs`, under the id of its tool call. So it is not lost when chunks are
added, when messages are merged (`merge_message_runs`), or when a message is stored as JSON, as a pickle or in a
checkpoint. `langchain-google-genai` and `langchain-google-vertexai` read and write the same map of signatures. A second
map, which only this package uses, contains the origin of each signature and other fields that the server sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._catalog.models import bare_model_name, family_of
from langchain_gemini_compat._wire.json_types import object_at
from langchain_gemini_compat._wire.provider import PROVIDER
from langchain_gemini_compat._wire.unknown_fields import MESSAGE_KEYS, RESERVED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages import AIMessage, ToolCall

    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Key of `additional_kwargs` with the map of signatures: `{tool_call_id: base64}`. Google's own LangChain packages use
#: the same key.
SIGNATURES_KEY = "__gemini_function_call_thought_signatures__"
#: Key of `additional_kwargs`. Its value maps the id of a tool call or a reply to a record with the origin and other
#: fields: `{"origin": …, "fields": …}`. The record of a reply also has `"reply": True`.
RECORDS_KEY = "__gemini_compat_records__"
#: The placeholder for a missing signature, from Google's page on thought signatures.
PLACEHOLDER_SIGNATURE = "skip_thought_signature_validator"
#: LiteLLM's Gemini gateway appends this mark and the signature to the id of a tool call. Such ids are long: one had
#: 4,572 characters.
LITELLM_MARK = "__thought__"
#: All values that packages and gateways write as a placeholder signature. LiteLLM writes the last one, which is the
#: first one in base64.
PLACEHOLDER_SIGNATURES = (
    PLACEHOLDER_SIGNATURE,
    "context_engineering_is_the_way_to_go",
    "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
)
_PROVIDER_SURFACES = {"google_vertexai": "vertex"}
#: Values of a message's `model_provider` (`""`: unknown). With any other value, signatures in the content blocks are
#: not used, because Google refuses the signatures of other providers, such as Anthropic.
_GEMINI_PROVIDERS = frozenset({"", PROVIDER, "google_genai", "google_vertexai", "litellm"})
#: Keys that gateways add to a tool call. The values of these keys are sent back unchanged.
_CALL_FIELDS = ("extra_content", "provider_specific_fields")
#: If the object `provider_specific_fields` has one of these keys, the object comes from LiteLLM. LiteLLM moves all keys
#: of a reply that it does not know into this object.
_WIRE_KEYS = frozenset(("extra_content", "reasoning_details", "reasoning_opaque", "reasoning_text"))
#: Keys that LiteLLM 1.108 itself reads from `provider_specific_fields` of a request. They must stay in that object.
_READ_BY_LITELLM = frozenset(
    {
        "thought_signature", "thought_signatures", "server_side_tool_invocations", "compaction_blocks", "tool_results",
        "web_search_results", "web_search_calls", "code_interpreter_results", "signature",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Extras:
    """The extra fields of a tool call or a message, and their origin. The next request sends these fields back."""

    #: Fields in the form in which the server sent them, such as `extra_content`.
    fields: JsonObject = field(default_factory=dict)
    #: Surface, model and host that sent the fields; `None` if unknown.
    origin: Mapping[str, JsonValue] | None = None
    #: The id of the tool call that the server sent, if LangChain's tool call has another id.
    server_id: str = ""
    #: The signature that LiteLLM appended to the id of the tool call.
    litellm_signature: str = ""
    #: The keys under which the server sent thoughts.
    reasoning_fields: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there are no extra fields that the next request has to send back."""
        return not (self.fields or self.server_id or self.litellm_signature or self.reasoning_fields)

    @property
    def signature(self) -> str | None:
        """The thought signature in `extra_content`, under `google` or a gateway's key, else `None`."""
        return read_signature(self.fields.get("extra_content"))


_NO_EXTRAS = Extras()


@dataclass(frozen=True, slots=True)
class MessageExtras:
    """The extras of a message itself, and those of its tool calls in the order of the calls."""

    own: Extras
    calls: Sequence[Extras]


def split_litellm_id(wire_id: str) -> tuple[str, str]:
    """Split an id of LiteLLM at `LITELLM_MARK` into the original id and the signature.

    If the id does not contain the mark, return the whole id and an empty signature.

    >>> split_litellm_id("call_1__thought__c2ln")
    ('call_1', 'c2ln')
    """
    clean, mark, signature = wire_id.partition(LITELLM_MARK)
    return (clean, signature) if mark else (wire_id, "")


def build_origin(endpoint: Endpoint, model: str) -> JsonObject:
    """Return the origin of a reply: the surface, the model, and for gateways the host.

    When the message is sent back, the origin shows whether the signatures in the message are valid. If the reply of a
    gateway contains another model name than the request, the key `asked` contains the requested name.
    """
    origin: JsonObject = {"surface": endpoint.surface, "model": bare_model_name(model or endpoint.name)}
    if not endpoint.is_google or not endpoint.speaks_gemini:
        origin["host"] = endpoint.host
    if not endpoint.speaks_gemini:
        asked = bare_model_name(endpoint.name)
        if asked != origin["model"]:
            origin["asked"] = asked
    return origin


def attach_call_extras(call_id: str, fields: JsonObject, origin: JsonObject) -> JsonObject:
    """Return the `additional_kwargs` that store the signature and the other fields of a call.

    Pass an empty `origin` if an earlier chunk of the reply has the origin. If both chunks had it, LangChain would
    concatenate the strings of the two origins.
    """
    kept = dict(fields)
    signature = cast("str | None", kept.pop("litellm_signature", None))
    if signature:
        kept["litellm_id"] = True
    else:
        signature = read_signature(kept.get("extra_content"))
        if kept.get("extra_content") == _google_signature(signature):
            del kept["extra_content"]
    record = _build_record(kept, origin)
    return {**({SIGNATURES_KEY: {call_id: signature}} if signature else {}), RECORDS_KEY: {call_id: record}}


def attach_reply_extras(reply_id: str, fields: JsonObject, origin: JsonObject) -> JsonObject:
    """Return the `additional_kwargs` that store the fields of the reply itself."""
    return {RECORDS_KEY: {reply_id: {**_build_record(fields, origin), "reply": True}}}


def _build_record(fields: JsonObject, origin: JsonObject) -> JsonObject:
    return {**({"origin": origin} if origin else {}), **({"fields": {**fields}} if fields else {})}


def recover_extras(message: AIMessage, tool_calls: Sequence[ToolCall]) -> MessageExtras:
    """Return the extras of `message` and of its `tool_calls`, even if another package stored them."""
    if _has_no_place(message, tool_calls):
        return MessageExtras(_NO_EXTRAS, [_NO_EXTRAS] * len(tool_calls))
    return search_extras(message, tool_calls)


def _has_no_place(message: AIMessage, tool_calls: Sequence[ToolCall]) -> bool:
    """Return `True` if the message certainly has no extras, so that they need not be searched."""
    if message.additional_kwargs or not isinstance(message.content, str):
        return False
    return not any(LITELLM_MARK in (call["id"] or "") for call in tool_calls)


def search_extras(message: AIMessage, tool_calls: Sequence[ToolCall]) -> MessageExtras:
    """Search `message` for the extras of the message itself and of its `tool_calls`, and return them."""
    kept = message.additional_kwargs
    records, signatures = object_at(kept, RECORDS_KEY), object_at(kept, SIGNATURES_KEY)
    raw_calls = _raw_calls(message)
    blocks = _BlockSignatures(message)
    calls: list[Extras] = []
    seen: set[str] = set()
    for position, call in enumerate(tool_calls):
        call_id = call["id"] or ""
        if call_id in seen:
            # If several calls have the same id, the extras that are stored under this id belong to the first call.
            calls.append(_NO_EXTRAS)
            continue
        seen.add(call_id)
        record = object_at(records, call_id)
        stored = _restore_fields(object_at(record, "fields"), signatures.get(call_id))
        stored = stored or _raw_fields(raw_calls.get(call_id, {}))
        if not stored:
            signature = blocks.of_call(call_id, position) or split_litellm_id(call_id)[1]
            stored = _signature_fields(signature)
        calls.append(_build_extras(stored, _origin(message, record)))
    return MessageExtras(_reply_extras(message, records, blocks), calls)


def is_replayable(extras: Extras, endpoint: Endpoint) -> bool:
    """Return whether extras may be sent to `endpoint`, based on their origin. An unknown origin is allowed.

    Signatures are valid only on the surface that issued them: Vertex refuses AI Studio's signatures, and AI Studio
    refuses Vertex's. On the same surface, a 3.x model accepts the signatures of other 3.x models. Both rules were
    observed.
    """
    origin = extras.origin
    if not origin or not origin.get("surface"):
        return True
    host = origin.get("host")
    # A user may configure the same gateway first as `openai_compatible` and later with one of Google's surfaces. So if
    # the surfaces differ, compare the hosts.
    is_other = origin["surface"] != endpoint.surface
    if is_other and not (endpoint.may_be_reached_as(origin["surface"]) and host == endpoint.host):
        return False
    model = origin.get("model")
    known = isinstance(model, str) and bool(model)
    same_generation = (
        not known
        or model == bare_model_name(endpoint.model)
        or endpoint.family.accepts_signatures_of(family_of(str(model), endpoint.catalog))
    )
    if endpoint.speaks_gemini:
        return same_generation
    if host != endpoint.host and (host is not None or endpoint.self_deployed):
        return False
    # First compare the model in the earlier request with the model in this one. A gateway's name for a model does not
    # always show the model's family.
    asked = origin.get("asked") or model
    return asked == bare_model_name(endpoint.name) or same_generation


def select_extras(extras: Extras, endpoint: Endpoint) -> Extras:
    """Return the part of `extras` that may be sent to `endpoint`.

    Google refuses unknown keys, so Google's hosts get only `extra_content`. Any other host also gets the unknown
    keys that came from this host.
    """
    if extras.is_empty or not is_replayable(extras, endpoint):
        return _NO_EXTRAS
    fields = unwrap_fields(extras.fields)
    if not endpoint.is_google:
        from_here = extras.origin is not None and extras.origin.get("host") == endpoint.host
        if from_here or not endpoint.speaks_gemini:
            return extras if fields is extras.fields else replace(extras, fields=fields)
    return Extras({"extra_content": fields["extra_content"]} if fields.get("extra_content") else {}, extras.origin)


def unwrap_fields(fields: JsonObject) -> JsonObject:
    """Return `fields` in the form in which the server behind LiteLLM sent them.

    LiteLLM moves unknown keys of a reply into the object `provider_specific_fields`. If the name of
    the model has the prefix `openai/`, LiteLLM sends this object to the server, and the server refuses the object. So
    this function moves the keys out of the object again.
    """
    wrapped = fields.get("provider_specific_fields")
    if not isinstance(wrapped, dict):
        return fields
    kept: JsonObject = {key: value for key, value in fields.items() if key != "provider_specific_fields"}
    rest: JsonObject = {}
    is_foreign = not _WIRE_KEYS.isdisjoint(wrapped)
    for key, value in wrapped.items():
        if value is None or key in MESSAGE_KEYS:
            continue
        if is_foreign and key not in _READ_BY_LITELLM:
            kept.setdefault(key, value)
        else:
            rest[key] = value
    return {**kept, "provider_specific_fields": rest} if rest else kept


def is_signed(call: JsonObject) -> bool:
    """Return whether a tool call has a signature in its id, or under a key that only gateways use.

    `call` is a tool call as in the JSON of the API.
    """
    if LITELLM_MARK in str(call.get("id")):
        return True
    for place in (call, object_at(call, "function")):
        if place.get("thought_signature") or object_at(place, "provider_specific_fields").get("thought_signature"):
            return True
    return False


def read_signature(extra_content: JsonValue) -> str | None:
    """Return the signature in `extra_content`, under `google` or a key of a gateway, such as `vertex`."""
    if not isinstance(extra_content, dict):
        return None
    for namespace in ("google", *extra_content):
        inner = extra_content.get(namespace)
        signature = inner.get("thought_signature") if isinstance(inner, dict) else None
        if isinstance(signature, str) and signature:
            return signature
    return None


class _BlockSignatures:
    """The signatures in a message's content blocks.

    The blocks may be LangChain's v1 blocks with `extras`, or older blocks of Google's LangChain packages.
    """

    def __init__(self, message: AIMessage) -> None:
        self._by_id: dict[str, str] = {}
        self._by_position: dict[int, str] = {}
        self.of_text: str | None = None
        provider = str(message.response_metadata.get("model_provider") or "")
        blocks = message.content if isinstance(message.content, list) else ()
        for block in blocks if provider in _GEMINI_PROVIDERS else ():
            if isinstance(block, dict):
                self._read(cast("JsonObject", block))

    def of_call(self, call_id: str, position: int) -> str | None:
        return self._by_id.get(call_id) or self._by_position.get(position)

    def _read(self, block: JsonObject) -> None:
        signature = block_signature(block)
        if not signature:
            return
        kind, index = block.get("type"), block.get("index", 0)
        if kind == "tool_call":
            self._by_id[str(block.get("id"))] = signature
        elif kind == "function_call_signature" and isinstance(index, int):
            self._by_position[index] = signature
        elif kind == "text":
            # If several text blocks have signatures, the last signature is used.
            self.of_text = signature


def block_signature(block: Mapping[str, JsonValue]) -> str | None:
    """Return the signature in a content block, or `None` if the block has no signature."""
    found = (object_at(block, "extras").get("signature"), block.get("thought_signature"), block.get("signature"))
    return next((signature for signature in found if isinstance(signature, str) and signature), None)


def _reply_extras(message: AIMessage, records: JsonObject, blocks: _BlockSignatures) -> Extras:
    """Return the extras of the message itself. If several replies were merged, return those of the last reply."""
    found = [record for record in records.values() if isinstance(record, dict) and record.get("reply")]
    own = [record for record in found if object_at(record, "fields")]
    if own:
        return _build_extras(object_at(own[-1], "fields"), _origin(message, own[-1]))
    return Extras(_signature_fields(blocks.of_text), _origin(message, {}))


def _build_extras(stored: JsonObject, origin: Mapping[str, JsonValue] | None) -> Extras:
    """Convert stored fields to `Extras`, which separate this package's own keys from the fields of the server."""
    names = stored.get("reasoning_field")
    return Extras(
        {key: value for key, value in stored.items() if key not in RESERVED},
        origin,
        server_id=str(stored.get("server_id") or ""),
        litellm_signature=str(stored.get("litellm_signature") or "") if stored.get("litellm_id") else "",
        reasoning_fields=tuple(map(str, names)) if isinstance(names, list) else (str(names),) if names else (),
    )


def _restore_fields(stored: JsonObject, signature: JsonValue) -> JsonObject:
    """Return the stored fields of a tool call, together with its signature.

    If the server sent the signature in the id of the call, as LiteLLM does, the key is `litellm_signature`. Otherwise,
    the signature is in `extra_content`.
    """
    fields = dict(stored)
    if not signature:
        return fields
    if fields.get("litellm_id"):
        fields["litellm_signature"] = signature
    elif not read_signature(fields.get("extra_content")):
        extra = object_at(fields, "extra_content")
        fields["extra_content"] = {**extra, "google": {**object_at(extra, "google"), "thought_signature": signature}}
    return fields


def _raw_calls(message: AIMessage) -> dict[str, JsonObject]:
    """Return a dict from call id to the tool call as the API sent it.

    Messages of LiteLLM's package, and messages from OpenAI-style dicts, contain such calls in `additional_kwargs`.
    """
    raw_calls: object = message.additional_kwargs.get("tool_calls")
    found = cast("list[object]", raw_calls) if isinstance(raw_calls, list) else []
    calls = [cast("JsonObject", raw) for raw in found if isinstance(raw, dict)]
    return {str(call.get("id") or ""): call for call in calls}


def _raw_fields(call: JsonObject) -> JsonObject:
    fields: JsonObject = {key: call[key] for key in _CALL_FIELDS if call.get(key)}
    gateway = object_at(fields, "provider_specific_fields").get("thought_signature")
    if isinstance(gateway, str) and "extra_content" not in fields:
        fields["extra_content"] = _google_signature(gateway)
    return fields


def _signature_fields(signature: str | None) -> JsonObject:
    return {"extra_content": _google_signature(signature)} if signature else {}


def _google_signature(signature: JsonValue) -> JsonObject:
    return {"google": {"thought_signature": signature}}


def _origin(message: AIMessage, record: JsonObject) -> Mapping[str, JsonValue] | None:
    """Return the origin in `record`, else an origin derived from the message's `model_provider`."""
    if record.get("origin"):
        return object_at(record, "origin")
    provider = message.response_metadata.get("model_provider")
    model = message.response_metadata.get("model_name")
    surface = _PROVIDER_SURFACES.get(str(provider))
    return {"surface": surface, "model": model} if surface else None

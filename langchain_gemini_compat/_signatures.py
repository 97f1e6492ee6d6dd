"""Where a thought signature rests on an `AIMessage`, and how it is found again: attach, recover, judge.

Its one rule: a signature lives in `additional_kwargs`, keyed by the id it belongs to, never by position and
never twice, so that it survives chunk addition, JSON, pickle, checkpoints and `merge_message_runs`.

The map of call signatures is the one that `langchain-google-genai` and `langchain-google-vertexai` read and
write, whatever the provider of the message. What else is known (origin, other fields) rests beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._catalog.models import bare_model_name, family_of
from langchain_gemini_compat._wire.provider import PROVIDER
from langchain_gemini_compat._wire.unknown_fields import MESSAGE_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages import AIMessage, ToolCall

    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: `{tool_call_id: base64}`, shared with Google's own LangChain packages.
SIGNATURES_KEY = "__gemini_function_call_thought_signatures__"
#: `{tool_call_id or reply id: {"origin": …, "fields": …}}`, ours; `reply` is true in the record of a message.
RECORDS_KEY = "__gemini_compat_records__"
#: Google's stand-in for a signature that does not exist (Google's page on thought signatures).
STAND_IN = "skip_thought_signature_validator"
#: LiteLLM appends the signature to the id (its gateway for Gemini, up to 4,572 characters seen).
LITELLM_MARK = "__thought__"
#: All spellings in which packages and gateways leave one in a history; the last is LiteLLM's, in base64.
STAND_INS = (
    STAND_IN,
    "context_engineering_is_the_way_to_go",
    "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
)
_PROVIDER_SURFACES = {"google_vertexai": "vertex"}
#: Whose content blocks may hold Gemini's signatures; those of Claude's blocks are errors at Google.
_GEMINI_PROVIDERS = frozenset({"", PROVIDER, "google_genai", "google_vertexai", "litellm"})
#: Fields beside a call that gateways invent, kept as they came.
_CALL_FIELDS = ("extra_content", "provider_specific_fields")
#: Keys of the wire. If one of them is present, LiteLLM wrapped unknown keys of another server's reply.
_WIRE_KEYS = frozenset(("extra_content", "reasoning_details", "reasoning_opaque", "reasoning_text"))
#: What LiteLLM 1.108 itself reads in `provider_specific_fields` of a request.
_READ_BY_LITELLM = frozenset(
    {
        "thought_signature", "thought_signatures", "server_side_tool_invocations", "compaction_blocks", "tool_results",
        "web_search_results", "web_search_calls", "code_interpreter_results", "signature",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Extras:
    """What has to go beside a call or message: whole fields of the wire, and where they came from."""

    fields: JsonObject = field(default_factory=dict)
    origin: Mapping[str, JsonValue] | None = None

    @property
    def signature(self) -> str | None:
        """The thought signature, in whichever namespace of `extra_content` it came."""
        return read_signature(self.fields.get("extra_content"))


@dataclass(frozen=True, slots=True)
class MessageExtras:
    """All extras of one message: its own, and those of its tool calls, in the order asked for."""

    own: Extras
    calls: Sequence[Extras]


def split_litellm_id(wire_id: str) -> tuple[str, str]:
    """A LiteLLM id as clean id and signature; other ids come back whole, with no signature.

    >>> split_litellm_id("call_1__thought__c2ln")
    ('call_1', 'c2ln')
    """
    clean, mark, signature = wire_id.partition(LITELLM_MARK)
    return (clean, signature) if mark else (wire_id, "")


def build_origin(endpoint: Endpoint, model: str) -> JsonObject:
    """Enough to tell later whether a signature is good: surface and model, and for gateways the host.

    `asked` is the name a gateway was asked for, where it answers with another.
    """
    origin: JsonObject = {"surface": endpoint.surface, "model": bare_model_name(model or endpoint.model)}
    if not endpoint.is_google or not endpoint.speaks_gemini:
        origin["host"] = endpoint.host
    if not endpoint.speaks_gemini:
        asked = bare_model_name(endpoint.model)
        if asked != origin["model"]:
            origin["asked"] = asked
    return origin


def attach_extras(key: str, fields: JsonObject, origin: JsonObject, *, is_call: bool) -> JsonObject:
    """The `additional_kwargs` that keep `fields` for the call or reply `key`.

    An empty `origin` adds to earlier fields: LangChain would double an `origin` that two chunks have.
    """
    kept = dict(fields)
    attached: JsonObject = {}
    record: JsonObject = {"origin": origin} if origin else {}
    if is_call:
        signature = cast("str | None", kept.pop("litellm_signature", None))
        if signature:
            kept["litellm_id"] = True
        else:
            signature = read_signature(kept.get("extra_content"))
            if kept.get("extra_content") == _google_signature(signature):
                del kept["extra_content"]
        if signature:
            attached[SIGNATURES_KEY] = {key: signature}
    else:
        record["reply"] = True
    if kept:
        record["fields"] = kept
    attached[RECORDS_KEY] = {key: record}
    return attached


def recover_extras(message: AIMessage, tool_calls: Sequence[ToolCall]) -> MessageExtras:
    """What belongs beside `message` and its `tool_calls`, from our own keeping or from the ways of other packages."""
    if _has_no_place(message, tool_calls):
        return MessageExtras(Extras(), [Extras()] * len(tool_calls))
    return search_extras(message, tool_calls)


def _has_no_place(message: AIMessage, tool_calls: Sequence[ToolCall]) -> bool:
    """Whether there is nowhere to look, as in most messages."""
    if message.additional_kwargs or not isinstance(message.content, str):
        return False
    return not any(LITELLM_MARK in (call["id"] or "") for call in tool_calls)


def search_extras(message: AIMessage, tool_calls: Sequence[ToolCall]) -> MessageExtras:
    """`recover_extras` for any message."""
    kept = message.additional_kwargs
    records, signatures = _object(kept.get(RECORDS_KEY)), _object(kept.get(SIGNATURES_KEY))
    raw_calls = _raw_calls(message)
    blocks = _BlockSignatures(message)
    calls: list[Extras] = []
    seen: set[str] = set()
    for position, call in enumerate(tool_calls):
        call_id = call["id"] or ""
        if call_id in seen:
            # Siblings with one id: what is kept under it belongs to the first.
            calls.append(Extras())
            continue
        seen.add(call_id)
        record = _object(records.get(call_id))
        fields = _own_fields(_object(record.get("fields")), signatures.get(call_id))
        fields = fields or _raw_fields(raw_calls.get(call_id, {}))
        if not fields:
            signature = blocks.of_call(call_id, position) or split_litellm_id(call_id)[1]
            fields = _signature_fields(signature)
        calls.append(Extras(fields, _origin(message, record)))
    return MessageExtras(_reply_extras(message, records, blocks), calls)


def is_replayable(extras: Extras, endpoint: Endpoint) -> bool:
    """Whether what came with `extras.origin` may go to `endpoint`.

    Signatures are bound to the surface that issued them: one of AI Studio is an error on Vertex and the other
    way round; within a surface one 3.x model takes another's (both seen). An unknown origin gets the benefit
    of the doubt.
    """
    origin = extras.origin
    if not origin or not origin.get("surface"):
        return True
    host = origin.get("host")
    # A gateway may be used as a compatible server first and with `surface` later. Vertex and AI Studio stay apart.
    is_other = origin["surface"] != endpoint.surface
    if is_other and not (endpoint.may_be_reached_as(origin["surface"]) and host == endpoint.host):
        return False
    model = origin.get("model")
    known = isinstance(model, str) and bool(model)
    same_generation = not known or family_of(endpoint.model).accepts_signatures_of(family_of(str(model)))
    if endpoint.speaks_gemini:
        return same_generation
    if host != endpoint.host and (host is not None or endpoint.self_deployed):
        return False
    # A gateway's own name for a model says nothing of its family; the same name is the same model.
    asked = origin.get("asked") or model
    return asked == bare_model_name(endpoint.model) or same_generation


def select_fields(extras: Extras, endpoint: Endpoint) -> JsonObject:
    """Return the fields of `extras` that may go to `endpoint`, each in its original place.

    Unknown keys go only to the host that sent them. Google refuses unknown keys, so its hosts get only
    `extra_content`.
    """
    if not extras.fields or not is_replayable(extras, endpoint):
        return {}
    fields = unwrap_fields(extras.fields)
    from_here = extras.origin is not None and extras.origin.get("host") == endpoint.host
    if not endpoint.is_google and (from_here or not endpoint.speaks_gemini):
        return fields
    return {"extra_content": fields["extra_content"]} if fields.get("extra_content") else {}


def unwrap_fields(fields: JsonObject) -> JsonObject:
    """Return `fields` as the server behind LiteLLM wrote them.

    LiteLLM wraps unknown keys in `provider_specific_fields`. Its route `openai/` passes that object on unchanged, and
    the server refuses it, so the keys are put back in their own place.
    """
    wrapped = fields.get("provider_specific_fields")
    if not isinstance(wrapped, dict):
        return dict(fields)
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
    """Whether a wire `call` has a signature under a gateway's own key."""
    function = _object(call.get("function"))
    places = (call, function, _object(call.get("provider_specific_fields")))
    inner = _object(function.get("provider_specific_fields"))
    return LITELLM_MARK in str(call.get("id")) or any(place.get("thought_signature") for place in (*places, inner))


def read_signature(extra_content: JsonValue) -> str | None:
    """The signature in `extra_content`: under `google`, or under a gateway's own name (`vertex` was seen)."""
    if not isinstance(extra_content, dict):
        return None
    for namespace in ("google", *extra_content):
        inner = extra_content.get(namespace)
        signature = inner.get("thought_signature") if isinstance(inner, dict) else None
        if isinstance(signature, str) and signature:
            return signature
    return None


class _BlockSignatures:
    """Signatures in content blocks: v1 blocks with `extras`, and older forms of Google's packages."""

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
            # Of several on text the last one counts.
            self.of_text = signature


def block_signature(block: Mapping[str, JsonValue]) -> str | None:
    """The signature that a content block carries itself."""
    found = (_object(block.get("extras")).get("signature"), block.get("thought_signature"), block.get("signature"))
    return next((signature for signature in found if isinstance(signature, str) and signature), None)


def _reply_extras(message: AIMessage, records: JsonObject, blocks: _BlockSignatures) -> Extras:
    """Of several replies merged into one the last counts."""
    own = [record for record in map(_object, records.values()) if record.get("reply") and _object(record.get("fields"))]
    if own:
        return Extras(_object(own[-1]["fields"]), _origin(message, own[-1]))
    return Extras(_signature_fields(blocks.of_text), _origin(message, {}))


def _own_fields(kept: JsonObject, signature: JsonValue) -> JsonObject:
    fields = dict(kept)
    if not signature:
        return fields
    if fields.get("litellm_id"):
        fields["litellm_signature"] = signature
    elif not read_signature(fields.get("extra_content")):
        extra = _object(fields.get("extra_content"))
        fields["extra_content"] = {**extra, "google": {**_object(extra.get("google")), "thought_signature": signature}}
    return fields


def _raw_calls(message: AIMessage) -> dict[str, JsonObject]:
    """Tool calls as the wire had them: LiteLLM's package and OpenAI-style dicts leave them there."""
    raw_calls = message.additional_kwargs.get("tool_calls")
    found = [_object(raw) for raw in raw_calls] if isinstance(raw_calls, list) else []
    return {str(call.get("id") or ""): call for call in found}


def _raw_fields(call: JsonObject) -> JsonObject:
    fields: JsonObject = {key: call[key] for key in _CALL_FIELDS if call.get(key)}
    gateway = _object(fields.get("provider_specific_fields")).get("thought_signature")
    if isinstance(gateway, str) and "extra_content" not in fields:
        fields["extra_content"] = _google_signature(gateway)
    return fields


def _signature_fields(signature: str | None) -> JsonObject:
    return {"extra_content": _google_signature(signature)} if signature else {}


def _google_signature(signature: JsonValue) -> JsonObject:
    return {"google": {"thought_signature": signature}}


def _object(value: object) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def _origin(message: AIMessage, record: JsonObject) -> Mapping[str, JsonValue] | None:
    if record.get("origin"):
        return _object(record["origin"])
    provider = message.response_metadata.get("model_provider")
    model = message.response_metadata.get("model_name")
    surface = _PROVIDER_SURFACES.get(str(provider))
    return {"surface": surface, "model": model} if surface else None

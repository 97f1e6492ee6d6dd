"""Where a thought signature rests on an `AIMessage`, and how it is found again: attach, recover, judge.

Its one rule: a signature lives in `additional_kwargs`, keyed by the id it belongs to, never by position and
never twice, so that it survives chunk addition, JSON, pickle, checkpoints and `merge_message_runs`.

The map of call signatures is the one that `langchain-google-genai` and `langchain-google-vertexai` read and
write, whatever the provider of the message. What else is known (origin, other fields) rests beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._families import bare_model_name, family_of
from langchain_gemini_compat._tool_calls import split_litellm_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages import AIMessage

    from langchain_gemini_compat._surfaces import Endpoint
    from langchain_gemini_compat._wire import JsonObject, JsonValue

#: `{tool_call_id: base64}`, shared with Google's own LangChain packages.
SIGNATURES_KEY = "__gemini_function_call_thought_signatures__"
#: `{tool_call_id or reply id: {"origin": …, "fields": …}}`, ours.
RECORDS_KEY = "__gemini_compat_records__"
#: Google's stand-in for a signature that does not exist (Google's page on thought signatures).
STAND_IN = "skip_thought_signature_validator"
_PROVIDER_SURFACES = {"google_vertexai": "vertex"}


@dataclass(frozen=True, slots=True)
class Extras:
    """What has to go beside a call or message: whole fields of the wire, and where they came from."""

    fields: JsonObject = field(default_factory=dict)
    origin: Mapping[str, JsonValue] | None = None

    @property
    def signature(self) -> str | None:
        """The thought signature, in whichever namespace of `extra_content` it came."""
        return read_signature(self.fields.get("extra_content"))


def build_origin(endpoint: Endpoint, model: str) -> JsonObject:
    """Enough to tell later whether a signature is good: surface and model, and for gateways the host."""
    origin: JsonObject = {"surface": endpoint.surface, "model": bare_model_name(model or endpoint.model)}
    if endpoint.surface == "openai_compatible":
        origin["host"] = endpoint.host
    return origin


def attach_extras(key: str, fields: JsonObject, origin: JsonObject, *, is_call: bool) -> JsonObject:
    """The `additional_kwargs` that keep `fields` for the call or reply `key`."""
    kept = dict(fields)
    attached: JsonObject = {}
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
    record: JsonObject = {"origin": origin}
    if kept:
        record["fields"] = kept
    attached[RECORDS_KEY] = {key: record}
    return attached


def recover_call_extras(message: AIMessage, call_id: str, position: int) -> Extras:
    """What belongs beside call `call_id`, from our own keeping or from the other packages' ways of keeping it."""
    record = _record(message, call_id)
    fields = dict(cast("JsonObject", record.get("fields") or {}))
    signatures = message.additional_kwargs.get(SIGNATURES_KEY)
    signature = signatures.get(call_id) if isinstance(signatures, dict) else None
    if not signature and not fields:
        fields = _foreign_call_fields(message, call_id, position)
    elif signature and not fields.get("litellm_id") and not read_signature(fields.get("extra_content")):
        fields["extra_content"] = {**_object(fields.get("extra_content")), **_google_signature(signature)}
    elif signature and fields.get("litellm_id"):
        fields["litellm_signature"] = signature
    return Extras(fields, _origin(message, record))


def recover_message_extras(message: AIMessage) -> Extras:
    """What belongs beside the message itself; of several replies merged into one the last counts."""
    calls = {call["id"] for call in message.tool_calls}
    records = _object(message.additional_kwargs.get(RECORDS_KEY))
    own = [_object(record) for key, record in records.items() if key not in calls]
    with_fields = [record for record in own if record.get("fields")]
    if with_fields:
        record = with_fields[-1]
        return Extras(cast("JsonObject", record["fields"]), _origin(message, record))
    signature = _block_signature(message)
    fields: JsonObject = {"extra_content": _google_signature(signature)} if signature else {}
    return Extras(fields, _origin(message, {}))


def is_replayable(extras: Extras, endpoint: Endpoint) -> bool:
    """Whether what came with `extras.origin` may go to `endpoint`.

    Signatures are bound to the surface that issued them: one of AI Studio is an error on Vertex and the other
    way round; within a surface one 3.x model takes another's (both seen). An unknown origin gets the benefit
    of the doubt.
    """
    origin = extras.origin
    if not origin or not origin.get("surface"):
        return True
    if origin["surface"] != endpoint.surface:
        return False
    if endpoint.surface == "openai_compatible":
        return origin.get("host") in (None, endpoint.host)
    model = origin.get("model")
    if not isinstance(model, str) or not model:
        return True
    return family_of(model).generation == family_of(endpoint.model).generation


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


def _google_signature(signature: str | None) -> JsonObject:
    return {"google": {"thought_signature": signature}}


def _object(value: object) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def _record(message: AIMessage, key: str) -> JsonObject:
    return _object(_object(message.additional_kwargs.get(RECORDS_KEY)).get(key))


def _origin(message: AIMessage, record: JsonObject) -> Mapping[str, JsonValue] | None:
    if record.get("origin"):
        return _object(record["origin"])
    provider = message.response_metadata.get("model_provider")
    model = message.response_metadata.get("model_name")
    surface = _PROVIDER_SURFACES.get(str(provider))
    return {"surface": surface, "model": model} if surface else None


def _foreign_call_fields(message: AIMessage, call_id: str, position: int) -> JsonObject:
    """Others keep it in raw tool calls (LiteLLM), in blocks (v1 content, older Google packages) or in the id."""
    raw_calls = message.additional_kwargs.get("tool_calls")
    for raw in raw_calls if isinstance(raw_calls, list) else ():
        call = _object(raw)
        if call.get("id") == call_id:
            fields: JsonObject = {
                key: call[key] for key in ("extra_content", "provider_specific_fields") if call.get(key)
            }
            gateway = _object(fields.get("provider_specific_fields")).get("thought_signature")
            if isinstance(gateway, str) and "extra_content" not in fields:
                fields["extra_content"] = _google_signature(gateway)
            if fields:
                return fields
    signature = _call_block_signature(message, call_id, position) or split_litellm_id(call_id)[1]
    return {"extra_content": _google_signature(signature)} if signature else {}


def _call_block_signature(message: AIMessage, call_id: str, position: int) -> str | None:
    for block in message.content if isinstance(message.content, list) else ():
        if not isinstance(block, dict):
            continue
        mine = block.get("type") == "tool_call" and block.get("id") == call_id
        sidecar = block.get("type") == "function_call_signature" and block.get("index", 0) == position
        signature = _object(block.get("extras")).get("signature") if mine else block.get("signature")
        if (mine or sidecar) and isinstance(signature, str) and signature:
            return signature
    return None


def _block_signature(message: AIMessage) -> str | None:
    """The signature on the last text block that has one, as Google's own packages write it."""
    found = None
    for block in message.content if isinstance(message.content, list) else ():
        if isinstance(block, dict) and block.get("type") == "text":
            signature = _object(block.get("extras")).get("signature") or block.get("thought_signature")
            found = signature if isinstance(signature, str) and signature else found
    return found

"""Builds the JSON body of a request from messages and options, with a note for each change.

- An option that the surface or model does not accept is dropped or adjusted, with a note. With `strict`, such an option
  raises an error instead.
- The caller's `extra_body` is sent unchanged.
- Parts that the server refused in earlier requests are left out (`known_refusals`).
- On both of Google's surfaces, Google's own fields go under the key `extra_body` of the body (Google's examples page).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._catalog.surfaces import TIER_HEADER
from langchain_gemini_compat._request.known_refusals import CHAT_PATH, apply_refusals, join_tier, split_tier
from langchain_gemini_compat._request.messages import encode_messages
from langchain_gemini_compat._request.options import is_known_option, read_options
from langchain_gemini_compat._request.thinking import encode_thinking, warn_of_tight_limit
from langchain_gemini_compat._request.tool_lists import format_tools, is_formatted
from langchain_gemini_compat._request.tools import ToolSet, build_tool_names, encode_response_format, encode_tools
from langchain_gemini_compat._wire.google_types import dump_settings
from langchain_gemini_compat._wire.json_types import DEFAULT_TAGS, list_at, object_at, text_at
from langchain_gemini_compat._wire.notes import Note
from langchain_gemini_compat.errors import InvalidHistoryError, UnsupportedParameterError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from langchain_core.messages import BaseMessage

    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._request.options import Options
    from langchain_gemini_compat._request.tool_names import ToolNames
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue
    from langchain_gemini_compat._wire.notes import NoteKind

_STRICT_ERRORS: Mapping[NoteKind, type[UnsupportedParameterError | InvalidHistoryError]] = {
    "dropped": UnsupportedParameterError,
    "adjusted": UnsupportedParameterError,
    "repaired": InvalidHistoryError,
}
#: Values of `service_tier` that mean the same as no tier, so they are not sent.
_STANDARD_TIERS = ("standard", "default", "auto")


@dataclass(frozen=True, slots=True)
class Request:
    """A request, with the data that decoding its reply requires."""

    payload: JsonObject
    endpoint: Endpoint
    notes: tuple[Note, ...]
    #: HTTP headers that only this request needs. The transport adds its own headers.
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Names of the tags that enclose thoughts in the reply's text.
    tags: tuple[str, ...] = DEFAULT_TAGS
    #: Whether text in thought tags counts as thoughts even if the server does not mark it as thoughts.
    expects_thoughts: bool = True
    #: Maximum number of tool calls that reach the caller; `None` for no limit.
    call_limit: int | None = None
    #: Text that becomes part of each generated tool call id, so that ids of different turns differ.
    seed: str = ""
    #: Maps a tool's wire name to its parameters.
    schemas: Mapping[str, JsonObject] = field(default_factory=dict)
    #: Maps each changed wire name to the caller's name of the tool.
    names: Mapping[str, str] = field(default_factory=dict)
    #: The wire names of all bound tools; `None` without tools.
    tool_names: frozenset[str] | None = None
    #: Whether a malformed call stays on the message instead of raising an error.
    keeps_invalid_calls: bool = False
    #: Whether the headers of the reply are added to the metadata of the message.
    includes_headers: bool = False
    #: Whether to raise the server's error if the server refuses an optional part. If `False`, the request is sent again
    #: without the part.
    is_strict: bool = False

    def with_changes(self, payload: JsonObject, headers: Mapping[str, str], notes: Sequence[Note]) -> Request:
        """Return a copy with `payload`, `headers` and additional notes.

        The caller has already removed the refused parts from `payload` and `headers`.
        """
        is_dropped = self.payload.get("parallel_tool_calls") is False and "parallel_tool_calls" not in payload
        limit = 1 if is_dropped else self.call_limit
        kept = tuple(note for note in self.notes if note.kind != "header" or headers)
        return replace(self, payload=payload, headers=headers, notes=(*kept, *notes), call_limit=limit)


@dataclass(frozen=True, slots=True)
class _Context:
    """What the functions of this module need to build one request, and the list to which they add notes."""

    options: Options
    endpoint: Endpoint
    family: ModelFamily
    stream: bool
    notes: list[Note]
    #: Maps each option name that is probably misspelled to the known name that it resembles.
    misspelled: Mapping[str, str] = field(default_factory=dict)

    def note(self, kind: NoteKind, text: str) -> None:
        self.notes.append(Note(kind, text))

    def note_dropped(self, name: str, why: str) -> None:
        meant = self.misspelled.get(name)
        self.note("dropped", f"`{name}` was left out: {why}.{f' Did you mean `{meant}`?' if meant else ''}")


@dataclass(frozen=True, slots=True)
class _Fields:
    """Fields of the request: those at the root of the body, and those of `extra_body.google`."""

    body: JsonObject = field(default_factory=dict)
    google: JsonObject = field(default_factory=dict)


def build_payload(
    messages: Sequence[BaseMessage],
    options: Mapping[str, object],
    endpoint: Endpoint,
    *,
    stream: bool,
    strict: bool,
    overridden: Sequence[str] = (),
    misspelled: Mapping[str, str] | None = None,
) -> Request:
    """Return the request for `messages` at `endpoint`.

    Args:
        messages: The conversation; it is not changed.
        options: The options by their public names. An option with an unknown name is sent as a body key.
        endpoint: The surface, host and model.
        stream: Whether the reply is streamed.
        strict: Whether a dropped, adjusted or repaired part raises an error.
        overridden: The names in `model_kwargs` that an argument of the constructor overrides.
        misspelled: Maps each option name that is probably misspelled to the known name that it resembles.

    Raises:
        UnsupportedParameterError: An option is invalid, or another API serves the model. With `strict`, also for an
            option that was changed.
        UnsupportedContentError: The endpoint does not accept a content block.
        InvalidHistoryError: There is no message to send. With `strict`, also for a message that was changed.
    """
    family, read = endpoint.family, _format_tools_of(read_options(options))
    _refuse_other_api(endpoint, family)
    context = _Context(read, endpoint, family, stream, [], misspelled or {})
    for name in overridden:
        context.note(
            "dropped", f"`{name}` in `model_kwargs` was left out: an argument of the constructor overrides it."
        )
    request = _build_request(messages, context)
    if strict:
        _refuse_changes(request.notes)
        return replace(request, is_strict=True)
    whole = join_tier(request.payload, request.headers) if request.headers else request.payload
    changed, notes = apply_refusals(whole, endpoint, CHAT_PATH)
    if not notes:
        return request
    payload, headers = split_tier(changed, request.payload, request.headers)
    return request.with_changes(payload, headers, notes)


def _refuse_other_api(endpoint: Endpoint, family: ModelFamily) -> None:
    """Raise an error for a model that Google does not serve over Chat Completions.

    Compatible servers are not checked, because their models may have any names.
    """
    if endpoint.speaks_gemini and family.other_api:
        raise UnsupportedParameterError(
            f"`model` {endpoint.model!r} is not served over chat completions, but by {family.other_api}. Use that API, "
            "or a chat model. If Google now serves the model over chat completions, set `other_api` of the model to "
            '"" in `catalog`.'
        )


def _format_tools_of(options: Options) -> Options:
    """Return the options with their tools converted to the form that `bind_tools` stores."""
    tools = options.tools or ()
    return options if all(map(is_formatted, tools)) else replace(options, tools=format_tools(tools))


def takes_body_key(name: str, endpoint: Endpoint) -> bool:
    """Return whether an extra option, which the chat model has no argument for, is sent to `endpoint`."""
    known = endpoint.body_keys
    return known is None or name in known or is_known_option(name)


def _build_request(messages: Sequence[BaseMessage], context: _Context) -> Request:
    options, endpoint = context.options, context.endpoint
    names = build_tool_names(options.tools or (), endpoint, context.notes)
    encoded = encode_messages(messages, endpoint, context.family, context.notes, names)
    named: JsonObject = {"model": endpoint.model} if endpoint.model else {}
    body: JsonObject = {**named, "messages": [*encoded], **_encode_plain(context)}
    tools, schemas = _encode_tools(context, names)
    response_format = _encode_response_format(context, has_functions="tools" in tools.body)
    thinking = _encode_thinking(context)
    tier, headers = _encode_tier(context)
    body = {**body, **tier, **tools.body, **response_format, **thinking.body, **_encode_stream(context)}
    google = {**tools.google, **thinking.google, **_encode_google(context)}
    fields = _drop_unsupported(_Fields(body, google), context)
    _note_misspelled(fields.body, context)
    body = {**fields.body, "extra_body": {"google": fields.google}} if fields.google else fields.body
    body = _merge_extra_body(body, options.extra_body or {})
    return Request(
        body,
        endpoint,
        tuple(context.notes),
        headers=headers,
        tags=_thought_tags(body),
        expects_thoughts=_expects_thoughts(body, endpoint),
        call_limit=1 if options.parallel_tool_calls is False else None,
        seed=str(len(messages)),
        schemas=schemas,
        names=names.original_names(),
        tool_names=_tool_names(body, names) or None,
        keeps_invalid_calls=_keeps_invalid_calls(options),
        includes_headers=bool(options.include_response_headers),
    )


def _refuse_changes(notes: Sequence[Note]) -> None:
    """Raise an error for the first note about a change that `strict` forbids."""
    for note in notes:
        error = _STRICT_ERRORS.get(note.kind)
        if error is not None:
            place = "" if note.index is None else f"Message {note.index}: "
            raise error(f"{place}{note.message} (With `strict=True`, no changed request is sent.)")


def _encode_plain(context: _Context) -> JsonObject:
    """Return the body keys of options that are sent under their own names, and of the caller's unknown options."""
    options = context.options
    body = _set_options(
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_tokens,
        n=options.n,
        seed=options.seed,
        presence_penalty=options.presence_penalty,
        frequency_penalty=options.frequency_penalty,
        logprobs=options.logprobs,
        top_logprobs=options.top_logprobs,
        web_search_options=options.web_search_options,
        stop=None if not options.stop else [options.stop] if isinstance(options.stop, str) else options.stop,
    )
    body |= _set_options(**options.further)
    if isinstance(options.modalities, (list, tuple)):
        # Callers may pass the modalities of Google's own packages, which are enum members with names in capitals.
        body["modalities"] = [_enum_name(modality).lower() for modality in options.modalities]
    for name in ("max_tokens", "max_completion_tokens"):
        if name in body:
            body[name] = _fit_limit(name, body[name], context)
    if body.get("n", 1) != 1 and (context.stream or not context.endpoint.takes_several_candidates(context.family)):
        del body["n"]
        context.note_dropped(
            "n", "a stream has one candidate" if context.stream else "this surface returns one candidate"
        )
    return body


def _encode_tier(context: _Context) -> tuple[JsonObject, dict[str, str]]:
    """Return the body key and the header for `service_tier`. A surface accepts at most one of the two."""
    tier = context.options.service_tier
    if tier is None or not context.endpoint.takes_tier_as_header:
        return _set_options(service_tier=tier), {}
    if tier == "priority":
        context.note("header", f"`service_tier` 'priority' is sent as the header `{TIER_HEADER}: priority`.")
        return {}, {TIER_HEADER: "priority"}
    if tier not in _STANDARD_TIERS:
        context.note_dropped("service_tier", f"{context.endpoint.surface} accepts only 'standard' and 'priority'")
    return {}, {}


def _fit_limit(name: str, given: JsonValue, context: _Context) -> JsonValue:
    """Return the token limit, lowered to the model's maximum.

    Google answers 400 to a higher limit, and to a limit below 1.
    """
    most = context.family.max_output_tokens
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise UnsupportedParameterError(f"`{name}` is {given!r}. Set it to a whole number of tokens, at least 1.")
    if not context.endpoint.speaks_gemini or most is None or given <= most:
        return given
    context.note("adjusted", f"`{name}` {given} became {most}, the maximum of {context.family.name} per call.")
    return most


def _encode_tools(context: _Context, names: ToolNames) -> tuple[_Fields, dict[str, JsonObject]]:
    """Return the fields for tools and `tool_choice`, and a dict from each tool's wire name to its original schema."""
    options, endpoint = context.options, context.endpoint
    found = ToolSet([], [], None)
    if options.tools:
        found = encode_tools(options.tools, options.tool_choice, endpoint, context.notes, names)
    elif options.tool_choice not in (None, False, "auto", "none"):
        context.note_dropped("tool_choice", "no tool is bound")
    if options.tools and options.parallel_tool_calls is False and endpoint.speaks_gemini:
        text = "`parallel_tool_calls=False` is not sent to Google. Only the first tool call of a reply is returned."
        context.note("adjusted", text)
    body = _set_options(
        tools=cast("list[JsonValue]", found.functions) or None,
        tool_choice=found.choice,
        parallel_tool_calls=None if endpoint.speaks_gemini else options.parallel_tool_calls,
    )
    return _Fields(body, _set_options(tools=[*found.google] or None)), found.schemas


def _encode_response_format(context: _Context, *, has_functions: bool) -> JsonObject:
    """Return the `response_format` field.

    Raises an error if the model does not accept a JSON format together with functions.
    """
    if context.options.response_format is None:
        return {}
    encoded = encode_response_format(context.options.response_format, context.endpoint, context.notes)
    wants_json = encoded.get("type") != "text"
    if wants_json and has_functions and not context.endpoint.takes_json_beside_functions(context.family):
        raise UnsupportedParameterError(
            f"{context.family.name} does not accept a JSON `response_format` together with functions (Google: "
            "function calling with a response mime type is unsupported). Use `ToolStrategy`, or "
            "`with_structured_output(schema, tools=…)`."
        )
    return {"response_format": encoded}


def _encode_thinking(context: _Context) -> _Fields:
    """Return the fields for the thinking options. Add a note if thinking may use up the token limit."""
    options = context.options
    fields = encode_thinking(options, context.endpoint, context.family, context.notes)
    limit = options.max_tokens or options.further.get("max_completion_tokens")
    tight = warn_of_tight_limit(limit, fields, context.family)
    if tight:
        context.note("tight_limit", tight)
    return _Fields(fields.body, fields.google)


def _encode_google(context: _Context) -> JsonObject:
    """Return the fields of `extra_body.google`, except those for tools and thinking."""
    options, resolution = context.options, context.options.media_resolution
    return _set_options(
        cached_content=options.cached_content,
        stream_function_call_arguments=options.stream_function_call_arguments,
        media_resolution=None if resolution is None else _enum_name(resolution),
        safety_settings=_safety_settings(options.safety_settings) or None,
    )


def _encode_stream(context: _Context) -> JsonObject:
    if not context.stream:
        return {}
    if context.endpoint.always_streams_usage:
        return {"stream": True}
    asked: JsonObject = {"include_usage": True} if context.options.stream_usage is not False else {}
    given = context.options.stream_options
    stream_options: JsonObject = {**asked, **(given if isinstance(given, dict) else {})}
    return {"stream": True, "stream_options": stream_options} if stream_options else {"stream": True}


def _drop_unsupported(fields: _Fields, context: _Context) -> _Fields:
    """Return the fields that the surface and the model accept. A compatible server gets all fields."""
    endpoint = context.endpoint
    if not endpoint.speaks_gemini:
        return fields
    body = _keep_known(fields.body, endpoint.body_keys, "", context)
    google = _keep_known(fields.google, endpoint.google_keys, "extra_body.google.", context)
    for name in ("presence_penalty", "frequency_penalty"):
        if not context.family.takes_penalties and body.pop(name, None) is not None:
            context.note_dropped(name, f"{context.family.name} does not take it")
    if not context.family.takes_cached_content and google.pop("cached_content", None) is not None:
        why = f"{context.family.name} has no explicit context cache. It caches repeated prompt beginnings automatically"
        context.note_dropped("cached_content", why)
    return _Fields(body, google)


def _keep_known(fields: JsonObject, known: Collection[str] | None, prefix: str, context: _Context) -> JsonObject:
    """Return the fields whose names are in `known`. Add a note for each other field. If `known` is `None`, keep all."""
    for name in fields:
        if known is not None and name not in known:
            context.note_dropped(f"{prefix}{name}", f"{context.endpoint.surface} does not take it")
    return {name: value for name, value in fields.items() if known is None or name in known}


def _note_misspelled(body: JsonObject, context: _Context) -> None:
    """Add a note for each body key that is probably a misspelled option."""
    for name, meant in context.misspelled.items():
        if name in body:
            context.note("misspelled", f"`{name}` is not an option and was sent as a body key. Did you mean `{meant}`?")


def _merge_extra_body(body: JsonObject, given: JsonObject) -> JsonObject:
    """Return `body` merged with `given`, which is the caller's option `extra_body`.

    `google` of `given` goes under the body's own key `extra_body`. All other keys of `given` go to the root of the
    body.
    """
    extra = dict(given)
    google = extra.pop("google", None)
    if google is not None:
        extra["extra_body"] = _merge(object_at(extra, "extra_body"), {"google": google})
    return _merge(body, extra)


def _thought_tags(body: JsonObject) -> tuple[str, ...]:
    marker = _google_fields(body).get("thought_tag_marker")
    return (str(marker), *(tag for tag in DEFAULT_TAGS if tag != marker)) if marker else DEFAULT_TAGS


def _expects_thoughts(body: JsonObject, endpoint: Endpoint) -> bool:
    """Return whether the reply may have thought tags.

    Gemini writes such tags only if the request asks for thoughts. Other models may write thought tags in any reply.
    """
    google = _google_fields(body)
    asked = object_at(google, "thinking_config").get("include_thoughts") or google.get("thought_tag_marker")
    return bool(asked) or not endpoint.speaks_gemini or "gemini" not in endpoint.model


def _google_fields(body: JsonObject) -> JsonObject:
    return object_at(object_at(body, "extra_body"), "google")


def _tool_names(body: JsonObject, names: ToolNames) -> frozenset[str]:
    """Return the wire names of all tools, including those in the caller's `extra_body`."""
    sent = (tool for tool in list_at(body, "tools") if isinstance(tool, dict))
    return names.bound | {name for tool in sent if (name := text_at(object_at(tool, "function"), "name"))}


def _keeps_invalid_calls(options: Options) -> bool:
    word = options.invalid_tool_calls
    if word not in ("raise", "keep"):
        raise UnsupportedParameterError(f"`invalid_tool_calls` is {word!r}. Set it to 'raise' or 'keep'.")
    return word == "keep"


def _safety_settings(settings: JsonValue) -> JsonValue:
    """Convert safety settings to the list of objects that Google's API expects. Enum members become their names.

    `settings` may be a list of this form, or the mapping from category to threshold of `ChatGoogleGenerativeAI`.
    """
    settings = cast("JsonValue", dump_settings(settings))
    if isinstance(settings, dict):
        return [
            {"category": _enum_name(category), "threshold": _enum_name(level)} for category, level in settings.items()
        ]
    if not isinstance(settings, list):
        return settings
    return [
        {key: _enum_name(value) for key, value in setting.items()} if isinstance(setting, dict) else setting
        for setting in settings
    ]


def _enum_name(value: object) -> str:
    return str(value.name if isinstance(value, Enum) else value)


def _set_options(**given: JsonValue) -> JsonObject:
    """Return the options that are not `None`."""
    return {name: value for name, value in given.items() if value is not None}


def _merge(left: JsonObject, right: JsonObject) -> JsonObject:
    """Return a deep merge of two objects. If the values of a key are not both objects, the value of `right` wins."""
    merged = dict(left)
    for key, value in right.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged

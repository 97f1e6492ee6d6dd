"""Messages and options to the JSON body of a request, with a note for each thing that was changed.

Its one rule: what this surface or model does not take is dropped or fitted here, and said, or raised when
`strict`; the caller's own `extra_body` goes out untouched. Google's fields stand under a literal `extra_body`
key of the body, on both surfaces (Google's examples page).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._catalog.models import family_of
from langchain_gemini_compat._request.messages import MessageEncoder
from langchain_gemini_compat._request.thinking import encode_thinking, warn_of_tight_limit
from langchain_gemini_compat._request.tools import build_tool_names, encode_response_format, encode_tools
from langchain_gemini_compat._wire.json_types import DEFAULT_TAGS, list_at, object_at, text_at
from langchain_gemini_compat._wire.notes import Note
from langchain_gemini_compat.errors import InvalidHistoryError, UnsupportedParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages import BaseMessage

    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._request.tool_names import ToolNames
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue
    from langchain_gemini_compat._wire.notes import NoteKind

#: Options that go into the body under their own names.
_PLAIN = (
    "temperature", "top_p", "max_tokens", "n", "seed", "presence_penalty", "frequency_penalty",
    "logprobs", "top_logprobs", "service_tier", "web_search_options",
)  # fmt: skip
_GOOGLE_PLAIN = ("cached_content", "stream_function_call_arguments")
#: Options that have their own code below, or that belong to the transport.
_HANDLED = frozenset(
    {
        *_PLAIN, *_GOOGLE_PLAIN, "reasoning_effort", "thinking_level", "thinking_budget", "include_thoughts",
        "thought_tag_marker", "modalities", "media_resolution", "safety_settings", "stop", "tools", "tool_choice",
        "response_format", "parallel_tool_calls", "strict", "stream", "stream_options", "stream_usage", "messages",
        "model", "extra_body", "invalid_tool_calls",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """A request, and what is needed to read its reply.

    `tags` are the names of thought tags. Without the server's flag they count only if the reply `expects_thoughts`.
    `call_limit` is the number of tool calls that may reach the caller. By a tool's name on the wire, `schemas` holds
    its parameters and `names` the caller's name if it was changed. `tool_names` are the wire names of all bound tools;
    `None` without tools. With `keeps_invalid_calls` a malformed call stays on the message and raises nothing.
    """

    payload: JsonObject
    endpoint: Endpoint
    notes: tuple[Note, ...]
    tags: tuple[str, ...] = DEFAULT_TAGS
    expects_thoughts: bool = True
    call_limit: int | None = None
    seed: str = ""
    schemas: Mapping[str, JsonObject] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    tool_names: frozenset[str] | None = None
    keeps_invalid_calls: bool = False


@dataclass(slots=True)
class _Builder:
    options: Mapping[str, object]
    endpoint: Endpoint
    family: ModelFamily
    stream: bool
    notes: list[Note] = field(default_factory=list)
    body: JsonObject = field(default_factory=dict)
    google: JsonObject = field(default_factory=dict)
    schemas: dict[str, JsonObject] = field(default_factory=dict)

    def option(self, name: str) -> JsonValue:
        return cast("JsonValue", self.options.get(name))

    def build(self, messages: Sequence[BaseMessage]) -> Request:
        names = build_tool_names(self._tools(), self.endpoint, self.notes)
        encoder = MessageEncoder(self.endpoint, self.family, self.notes, names)
        self.body = {"model": self.endpoint.model, "messages": [*encoder.encode(messages)]}
        self._add_plain()
        self._add_tools(names)
        self._add_thinking()
        self._add_google()
        self._add_stream()
        self._drop_unknown()
        if self.google:
            self.body["extra_body"] = {"google": self.google}
        self._add_extra_body()
        return Request(
            self.body,
            self.endpoint,
            tuple(self.notes),
            tags=self._tags(),
            expects_thoughts=self._expects_thoughts(),
            call_limit=1 if self.option("parallel_tool_calls") is False else None,
            seed=str(len(messages)),
            schemas=self.schemas,
            names=names.changed(),
            tool_names=self._tool_names(names) or None,
            keeps_invalid_calls=self._keeps_invalid_calls(),
        )

    def _tool_names(self, names: ToolNames) -> frozenset[str]:
        """Return the wire names of all tools, including those in the caller's `extra_body`."""
        sent = (tool for tool in list_at(self.body, "tools") if isinstance(tool, dict))
        return names.bound | {name for tool in sent if (name := text_at(object_at(tool, "function"), "name"))}

    def _keeps_invalid_calls(self) -> bool:
        word = self.options.get("invalid_tool_calls", "raise")
        if word not in ("raise", "keep"):
            raise UnsupportedParameterError(f"`invalid_tool_calls` is {word!r}. Set it to 'raise' or 'keep'.")
        return word == "keep"

    def _add_plain(self) -> None:
        for name in _PLAIN:
            value = self.option(name)
            if value is not None:
                self.body[name] = value
        stop = self.option("stop")
        if stop:
            self.body["stop"] = [stop] if isinstance(stop, str) else stop
        for name in self.options:
            if name not in _HANDLED and self.option(name) is not None:
                self.body[name] = self.option(name)
        modalities = self.options.get("modalities")
        if isinstance(modalities, (list, tuple)):
            # Google's own packages write them in capitals, as members of an enum.
            self.body["modalities"] = [_enum_name(modality).lower() for modality in modalities]
        for name in ("max_tokens", "max_completion_tokens"):
            if name in self.body:
                self._fit_limit(name)
        if self.body.get("n", 1) != 1 and (self.stream or not self.endpoint.takes_several_candidates(self.family)):
            del self.body["n"]
            self._drop("n", "a stream has one candidate" if self.stream else "Gemini gives one candidate here")

    def _fit_limit(self, name: str) -> None:
        """More than the model can write is a 400, and so is less than a token."""
        given, most = self.body[name], self.family.max_output_tokens
        if not isinstance(given, int) or isinstance(given, bool) or given < 1:
            raise UnsupportedParameterError(f"`{name}` is a number of tokens from 1 on, not {given!r}.")
        if self.endpoint.speaks_gemini and most is not None and given > most:
            self.body[name] = most
            text = f"`{name}` {given} became {most}: {self.family.name} writes no more than that."
            self.notes.append(Note("adjusted", text))

    def _tools(self) -> list[JsonObject]:
        return cast("list[JsonObject]", self.options.get("tools") or [])

    def _add_tools(self, names: ToolNames) -> None:
        tools = self._tools()
        if not tools and self.option("tool_choice") not in (None, False, "auto", "none"):
            self._drop("tool_choice", "no tool is bound")
        if tools:
            found = encode_tools(tools, self.option("tool_choice"), self.endpoint, self.notes, names)
            self.schemas = found.schemas
            if found.functions:
                self.body["tools"] = [*found.functions]
            if found.choice is not None:
                self.body["tool_choice"] = found.choice
            if found.google:
                self.google["tools"] = [*found.google]
        if tools and self.option("parallel_tool_calls") is False and self.endpoint.speaks_gemini:
            text = "`parallel_tool_calls=False` is kept here and not at Google: calls after the first are thrown away."
            self.notes.append(Note("adjusted", text))
        if self.option("parallel_tool_calls") is not None and not self.endpoint.speaks_gemini:
            self.body["parallel_tool_calls"] = self.option("parallel_tool_calls")
        response_format = self.options.get("response_format")
        if response_format is not None:
            self.body["response_format"] = encode_response_format(response_format, self.endpoint, self.notes)
            self._check_format()

    def _check_format(self) -> None:
        """Refuse a JSON `response_format` beside functions where the model refuses it."""
        wants_json = object_at(self.body, "response_format").get("type") != "text"
        if wants_json and "tools" in self.body and not self.endpoint.takes_json_beside_functions(self.family):
            raise UnsupportedParameterError(
                f"{self.family.name} takes no JSON beside functions (Google: a response mime type is unsupported with "
                "function calling). Use `ToolStrategy`, or `with_structured_output(schema, tools=…)`."
            )

    def _add_thinking(self) -> None:
        fields = encode_thinking(self.options, self.endpoint, self.family, self.notes)
        self.body |= fields.body
        self.google |= fields.google
        limit = self.option("max_tokens") or self.option("max_completion_tokens")
        tight = warn_of_tight_limit(limit, fields, self.family)
        if tight:
            self.notes.append(Note("tight_limit", tight))

    def _add_google(self) -> None:
        for name in _GOOGLE_PLAIN:
            if self.option(name) is not None:
                self.google[name] = self.option(name)
        resolution, safety = self.options.get("media_resolution"), self.option("safety_settings")
        if resolution is not None:
            self.google["media_resolution"] = _enum_name(resolution)
        if safety:
            self.google["safety_settings"] = _safety_settings(safety)

    def _add_stream(self) -> None:
        if not self.stream:
            return
        self.body["stream"] = True
        if self.endpoint.always_streams_usage:
            return
        asked: JsonObject = {"include_usage": True} if self.option("stream_usage") is not False else {}
        options = {**asked, **_object(self.option("stream_options"))}
        if options:
            self.body["stream_options"] = options

    def _drop_unknown(self) -> None:
        if not self.endpoint.speaks_gemini:
            return
        for target, known, what in (
            (self.body, self.endpoint.body_keys, ""),
            (self.google, self.endpoint.google_keys, "extra_body.google."),
        ):
            for name in [name for name in target if known is not None and name not in known]:
                del target[name]
                self._drop(f"{what}{name}", f"{self.endpoint.surface} does not take it")
        for name in ("presence_penalty", "frequency_penalty"):
            if not self.family.takes_penalties and self.body.pop(name, None) is not None:
                self._drop(name, f"{self.family.name} does not take it")

    def _drop(self, name: str, why: str) -> None:
        self.notes.append(Note("dropped", f"`{name}` was left out: {why}."))

    def _add_extra_body(self) -> None:
        """The caller's own fields, last: `google` under the literal `extra_body`, others at the root."""
        extra = dict(cast("JsonObject", self.options.get("extra_body") or {}))
        google = extra.pop("google", None)
        if google is not None:
            extra["extra_body"] = _merge(_object(extra.get("extra_body")), {"google": google})
        self.body = _merge(self.body, extra)

    def _tags(self) -> tuple[str, ...]:
        google = _object(_object(self.body.get("extra_body")).get("google"))
        marker = google.get("thought_tag_marker")
        return (str(marker), *(tag for tag in DEFAULT_TAGS if tag != marker)) if marker else DEFAULT_TAGS

    def _expects_thoughts(self) -> bool:
        """Gemini writes tags where thoughts were asked for; other models do as they like."""
        google = _object(_object(self.body.get("extra_body")).get("google"))
        asked = _object(google.get("thinking_config")).get("include_thoughts") or google.get("thought_tag_marker")
        return bool(asked) or not self.endpoint.speaks_gemini or "gemini" not in self.endpoint.model


def takes_body_key(name: str, endpoint: Endpoint) -> bool:
    """Whether an option of this name, which is not an argument of the chat model, is sent to `endpoint`."""
    known = endpoint.body_keys
    return known is None or name in known or name in _HANDLED


def build_payload(
    messages: Sequence[BaseMessage],
    options: Mapping[str, object],
    endpoint: Endpoint,
    *,
    stream: bool,
    strict: bool,
    overridden: Sequence[str] = (),
) -> Request:
    """The request for `messages` at `endpoint`.

    `options` holds the arguments of `ChatGeminiCompat` by their public names; unknown names are body keys.
    `overridden` are the names in `model_kwargs` that lost against an argument of the constructor. Raises
    `UnsupportedParameterError`, `UnsupportedContentError` or `InvalidHistoryError` before anything is sent; with
    `strict` also where something would be dropped or repaired.
    """
    builder = _Builder(options, endpoint, family_of(endpoint.model), stream)
    for name in overridden:
        text = f"`{name}` in `model_kwargs` was left out: an argument of the constructor overrides it."
        builder.notes.append(Note("dropped", text))
    request = builder.build(messages)
    if strict:
        for note in request.notes:
            error = _STRICT_ERRORS.get(note.kind)
            if error is not None:
                place = "" if note.index is None else f"Message {note.index}: "
                raise error(f"{place}{note.message} (`strict=True` sends nothing that had to be changed.)")
    return request


_STRICT_ERRORS: Mapping[NoteKind, type[UnsupportedParameterError | InvalidHistoryError]] = {
    "dropped": UnsupportedParameterError,
    "adjusted": UnsupportedParameterError,
    "repaired": InvalidHistoryError,
}


def _safety_settings(settings: JsonValue) -> JsonValue:
    """Google's list form, also from the mapping that `ChatGoogleGenerativeAI` takes; enum members by their names."""
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


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _merge(left: JsonObject, right: JsonObject) -> JsonObject:
    merged = dict(left)
    for key, value in right.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged

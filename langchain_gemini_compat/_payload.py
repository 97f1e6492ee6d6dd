"""Messages and options to the JSON body of a request, with a note for each thing that was changed.

Its one rule: what this surface or model does not take is dropped or fitted here, and said, or raised when
`strict`; the caller's own `extra_body` goes out untouched. Google's fields stand under a literal `extra_body`
key of the body, on both surfaces (Google's examples page).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._encode import MessageEncoder
from langchain_gemini_compat._families import family_of
from langchain_gemini_compat._notes import Note
from langchain_gemini_compat._surfaces import BODY_KEYS, GOOGLE_KEYS
from langchain_gemini_compat._thoughts import DEFAULT_TAGS
from langchain_gemini_compat._tools import encode_response_format, encode_tools
from langchain_gemini_compat.errors import UnsupportedParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages import BaseMessage

    from langchain_gemini_compat._families import ModelFamily
    from langchain_gemini_compat._surfaces import Endpoint
    from langchain_gemini_compat._wire import JsonObject, JsonValue

#: Vertex returns thoughts untagged unless it is given a marker; this one is what AI Studio uses by itself.
VERTEX_MARKER = "thought"
#: Token budgets that Google gives for OpenAI's words on models that count (Google's compatibility page).
EFFORT_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
#: Options that go into the body under their own names.
_PLAIN = (
    "temperature", "top_p", "max_tokens", "n", "seed", "presence_penalty", "frequency_penalty",
    "logprobs", "top_logprobs", "modalities", "service_tier", "web_search_options",
)  # fmt: skip
_GOOGLE_PLAIN = ("cached_content", "media_resolution", "stream_function_call_arguments")
_THINKING = ("reasoning_effort", "thinking_level", "thinking_budget")
#: Options that have their own code below, or that belong to the transport.
_HANDLED = frozenset(
    {
        *_PLAIN, *_GOOGLE_PLAIN, *_THINKING, "stop", "tools", "tool_choice", "response_format", "include_thoughts",
        "thought_tag_marker", "safety_settings", "extra_body", "parallel_tool_calls", "strict", "stream",
        "stream_options", "messages", "model", "stream_usage",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """A request ready to go, and what its answer has to be read with.

    `tags` are the names of thought tags, `call_limit` the number of tool calls that may reach the caller.
    """

    payload: JsonObject
    endpoint: Endpoint
    notes: tuple[Note, ...]
    tags: tuple[str, ...] = DEFAULT_TAGS
    call_limit: int | None = None
    seed: str = ""


@dataclass(slots=True)
class _Builder:
    options: Mapping[str, object]
    endpoint: Endpoint
    family: ModelFamily
    stream: bool
    notes: list[Note] = field(default_factory=list)
    body: JsonObject = field(default_factory=dict)
    google: JsonObject = field(default_factory=dict)

    def option(self, name: str) -> JsonValue:
        return cast("JsonValue", self.options.get(name))

    def build(self, messages: Sequence[BaseMessage]) -> Request:
        encoder = MessageEncoder(self.endpoint, self.family, self.notes)
        self.body = {"model": self.endpoint.model, "messages": [*encoder.encode(messages)]}
        self._add_plain()
        self._add_tools()
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
            call_limit=1 if self.option("parallel_tool_calls") is False else None,
            seed=str(len(messages)),
        )

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
        if self.stream and self.body.get("n", 1) != 1:
            del self.body["n"]
            self._drop("n", "a stream has one candidate")

    def _add_tools(self) -> None:
        tools = cast("list[JsonObject]", self.options.get("tools") or [])
        if tools:
            found = encode_tools(tools, self.option("tool_choice"), self.endpoint, self.notes)
            if found.functions:
                self.body["tools"] = [*found.functions]
            if found.choice is not None:
                self.body["tool_choice"] = found.choice
            if found.google:
                self.google["tools"] = [*found.google]
        if self.option("parallel_tool_calls") is not None and not self.endpoint.speaks_gemini:
            self.body["parallel_tool_calls"] = self.option("parallel_tool_calls")
        response_format = self.options.get("response_format")
        if response_format is not None:
            self.body["response_format"] = encode_response_format(response_format, self.endpoint, self.notes)

    def _add_thinking(self) -> None:
        given = [name for name in _THINKING if self.option(name) is not None]
        if len(given) > 1:
            raise UnsupportedParameterError(f"`{given[0]}` and `{given[1]}` say the same thing twice: give one.")
        thoughts = self.option("include_thoughts")
        config: JsonObject = {}
        for name in ("thinking_level", "thinking_budget"):
            if self.option(name) is not None:
                config[name] = self.option(name)
        effort = self.option("reasoning_effort")
        if effort is not None and thoughts:
            # The two are exclusive on Vertex: with an effort no thoughts are returned.
            config |= self._effort_as_config(str(effort))
        elif effort is not None:
            self.body["reasoning_effort"] = effort
        if thoughts is not None:
            config["include_thoughts"] = thoughts
        if config:
            self.google["thinking_config"] = config
        marker = self.option("thought_tag_marker")
        if marker is None and thoughts and self.endpoint.surface == "vertex" and self.endpoint.speaks_gemini:
            marker = VERTEX_MARKER
        if marker is not None:
            self.google["thought_tag_marker"] = marker

    def _effort_as_config(self, effort: str) -> JsonObject:
        if self.family.thinking == "budget":
            return {"thinking_budget": EFFORT_BUDGETS.get(effort, EFFORT_BUDGETS["medium"])}
        return {"thinking_level": effort}

    def _add_google(self) -> None:
        for name in _GOOGLE_PLAIN:
            if self.option(name) is not None:
                self.google[name] = self.option(name)
        safety = self.option("safety_settings")
        if safety:
            self.google["safety_settings"] = _safety_settings(safety)

    def _add_stream(self) -> None:
        if not self.stream:
            return
        self.body["stream"] = True
        # AI Studio says nothing of usage in a stream unless it is asked to; Vertex always does.
        if self.option("stream_usage") is not False and self.endpoint.surface != "vertex":
            self.body["stream_options"] = {"include_usage": True}

    def _drop_unknown(self) -> None:
        if not self.endpoint.speaks_gemini:
            return
        for target, known, what in (
            (self.body, BODY_KEYS[self.endpoint.surface], ""),
            (self.google, GOOGLE_KEYS[self.endpoint.surface], "extra_body.google."),
        ):
            for name in [name for name in target if known is not None and name not in known]:
                del target[name]
                self._drop(f"{what}{name}", f"{self.endpoint.surface} does not take it")

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


def build_payload(
    messages: Sequence[BaseMessage], options: Mapping[str, object], endpoint: Endpoint, *, stream: bool, strict: bool
) -> Request:
    """The request for `messages` at `endpoint`.

    `options` hold what `ChatGeminiCompat` was given, by its public names; unknown names are body keys. Raises
    `UnsupportedParameterError`, `UnsupportedContentError` or `InvalidHistoryError` before anything is sent; with
    `strict` also where something would be dropped or repaired.
    """
    request = _Builder(options, endpoint, family_of(endpoint.model), stream).build(messages)
    if strict:
        for note in request.notes:
            if note.kind in ("dropped", "adjusted", "repaired"):
                raise UnsupportedParameterError(f"{note.message} (`strict=True` sends nothing that had to be changed.)")
    return request


def _safety_settings(settings: JsonValue) -> JsonValue:
    """Google's list form; the mapping that `ChatGoogleGenerativeAI` takes, of enum members or strings, becomes one."""
    if not isinstance(settings, dict):
        return settings
    return [{"category": _enum_name(category), "threshold": _enum_name(level)} for category, level in settings.items()]


def _enum_name(value: object) -> str:
    name = getattr(value, "name", value)
    return str(name)


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _merge(left: JsonObject, right: JsonObject) -> JsonObject:
    merged = dict(left)
    for key, value in right.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged

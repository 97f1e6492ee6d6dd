"""What a user may set on `ChatGeminiCompat`, in two groups: how to reach the model, and what goes into a request."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, ClassVar, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, field_validator

from langchain_gemini_compat._catalog.surfaces import Surface
from langchain_gemini_compat._settings.aliases import (
    COMPOSITES,
    OPTION_COMPOSITES,
    check_options,
    hide_secrets,
    spell_arguments,
)
from langchain_gemini_compat._settings.http_options import clean_headers, clean_query
from langchain_gemini_compat.errors import UnsupportedParameterError


class ConnectionFields(BaseModel):
    """Where to, as whom, over what; none of it goes into the body."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        populate_by_name=True, arbitrary_types_allowed=True, protected_namespaces=(), hide_input_in_errors=True
    )

    model_name: str = Field(alias="model", validation_alias=AliasChoices("model", "model_name"))
    """The model; `gemini-x`, `google/gemini-x` and `models/gemini-x` work on every surface."""
    project: str | None = None
    """Google Cloud project; else GOOGLE_CLOUD_PROJECT, else the one the credentials name."""
    location: str | None = None
    """Region, `us`, `eu` or `global`; else GOOGLE_CLOUD_LOCATION, else `global`."""
    endpoint_id: str | None = None
    """A model deployed to your own Vertex endpoint."""
    base_url: str | None = Field(default=None, validation_alias=AliasChoices("base_url", "openai_api_base", "api_base"))
    """The address without `/chat/completions` or `/embeddings`. `api_endpoint` and `client_options` set it too."""
    api_version: str = "v1"
    surface: Surface | None = None
    api_key: SecretStr | Callable[[], str] | Callable[[], Awaitable[str]] | None = Field(
        default=None,
        validation_alias=AliasChoices("api_key", "google_api_key", "gemini_api_key", "openai_api_key"),
    )
    """A key, or a callable that gives a bearer token, sync or async."""
    credentials: Any = Field(default=None, exclude=True, repr=False)
    """A `google.auth.credentials.Credentials` object of any kind."""
    quota_project_id: str | None = None
    """Sent as `x-goog-user-project`."""
    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further body keys; the chat model drops those its surface does not take, with a warning, embeddings send all."""
    default_headers: dict[str, str] | None = Field(
        default=None,
        exclude=True,
        repr=False,
        validation_alias=AliasChoices("default_headers", "additional_headers", "extra_headers", "headers"),
    )
    default_query: dict[str, str] | None = Field(
        default=None, exclude=True, repr=False, validation_alias=AliasChoices("default_query", "extra_query")
    )
    timeout: Any = Field(default=None, validation_alias=AliasChoices("timeout", "request_timeout"))
    """Seconds, a `timedelta`, `(connect, read)`, a `Timeouts` dict, or the `Timeout` of httpx, httpx2 or openai."""
    max_retries: int = Field(default=2, ge=0, validation_alias=AliasChoices("max_retries", "retries"))
    """At most so many further requests, all reasons together; the one new try after a 401 is not counted."""
    http_client: Any = Field(default=None, exclude=True, repr=False)
    http_async_client: Any = Field(default=None, exclude=True, repr=False)

    @field_validator("default_headers", mode="before")
    @classmethod
    def _clean_headers(cls, value: object) -> object:
        return clean_headers(value)

    @field_validator("default_query", mode="before")
    @classmethod
    def _clean_query(cls, value: object) -> object:
        return clean_query(value)

    @field_validator("max_retries", mode="before")
    @classmethod
    def _default_retries(cls, value: object) -> object:
        """`None` means the default, as for `ChatOpenAI`."""
        return cls.model_fields["max_retries"].default if value is None else value

    strict: bool = False
    """Raise, before anything is sent, where something would be repaired or dropped."""
    streaming: bool = False

    def shown(self) -> dict[str, object]:
        """Return the body keys of this model in which secrets had to be hidden, as they may be shown."""
        given = {name: getattr(self, name, None) for name in ("extra_body", "model_kwargs")}
        return {name: shown for name, value in given.items() if (shown := hide_secrets(value)) is not value}

    def routing_digest(self, options: Mapping[str, object] | None = None) -> str:
        """A digest of `default_headers`, `default_query` and of body keys with secrets in them, empty without any.

        Gateways choose provider and model by them, so LangChain's cache key needs them. They may hold secrets, so the
        cache key gets a digest and no value. `options` are those of one call.
        """
        # Header names are case-insensitive.
        headers = {name.lower(): value for name, value in (self.default_headers or {}).items()}
        query = self.default_query or {}
        secret = [getattr(self, name) for name in self.shown()]
        secret += [options] if options and hide_secrets(options) is not options else []
        if not headers and not query and not secret:
            return ""
        text = json.dumps([headers, query, *secret], sort_keys=True, default=repr)
        return sha256(text.encode(errors="replace")).hexdigest()


class RequestFields(BaseModel):
    """Options of a request, by their public names; a call may override each."""

    model_config: ClassVar[ConfigDict] = ConfigDict(populate_by_name=True)

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = Field(
        default=None, validation_alias=AliasChoices("max_tokens", "max_output_tokens", "max_completion_tokens")
    )
    """Thinking is spent from the same budget."""
    stop: list[str] | str | None = Field(default=None, validation_alias=AliasChoices("stop", "stop_sequences"))
    n: int | None = Field(default=None, validation_alias=AliasChoices("n", "candidate_count"))
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning_effort: str | None = None
    """`none`, `minimal`, `low`, `medium` or `high`; excludes the next two."""
    thinking_level: str | None = None
    thinking_budget: int | None = None
    include_thoughts: bool | None = None
    """Thoughts come as `reasoning` blocks, never in the text."""
    thought_tag_marker: str | None = None
    """Vertex tags thoughts with it; set by itself with `include_thoughts`."""
    safety_settings: Any = None
    """A list of `{category, threshold}`, or a mapping of the two."""
    cached_content: str | None = None
    media_resolution: str | None = None
    modalities: list[str] | None = Field(
        default=None, validation_alias=AliasChoices("modalities", "response_modalities")
    )
    stream_function_call_arguments: bool | None = None
    service_tier: str | None = None
    extra_body: dict[str, Any] | None = None
    """Merged into the body last and untouched; `google` goes under the body's literal `extra_body` key."""
    stream_usage: bool = True
    invalid_tool_calls: Literal["raise", "keep"] = "raise"
    """Whether a malformed tool call raises, or is kept in LangChain's `invalid_tool_calls`. Never sent."""


def aliases_of(cls: type[BaseModel]) -> dict[str, str]:
    """Return the further names under which the constructor takes a field."""
    return {
        alias: name
        for name, field in cls.model_fields.items()
        if isinstance(field.validation_alias, AliasChoices)
        for alias in map(str, field.validation_alias.choices)
        if alias != name
    }


_OPTION_ALIASES = {**aliases_of(RequestFields), "model_name": "model"}
#: All names of the arguments that belong to the model and not to a call.
_MODEL_ONLY = (
    ConnectionFields.model_fields.keys() | aliases_of(ConnectionFields) | (COMPOSITES.keys() - OPTION_COMPOSITES)
) - {"model", "model_name", "strict", "streaming"}
_OWN_OPTIONS = RequestFields.model_fields.keys() | {"model", "strict", "streaming"}


def spell_options(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a call, or of `model_kwargs`, under our own names.

    Raises `UnsupportedParameterError` if two names of one option have different values, for an argument of the model,
    and for an option that looks like a secret and would go into the body.

    >>> spell_options({"max_output_tokens": 5})
    {'max_tokens': 5}
    """
    if kwargs.keys() <= _OWN_OPTIONS:
        return dict(kwargs)
    misplaced = next((name for name in kwargs if name in _MODEL_ONLY), None)
    if misplaced is not None:
        raise UnsupportedParameterError(
            f"`{misplaced}` belongs to the model and not to a call. Pass it to the constructor, or change a copy: "
            "`model.model_copy(update={…})`."
        )
    spelled = spell_arguments(kwargs, _OPTION_ALIASES)
    check_options({name: value for name, value in spelled.items() if name not in _OWN_OPTIONS}, "a call")
    return spelled

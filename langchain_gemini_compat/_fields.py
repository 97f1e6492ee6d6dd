"""What a user may set on `ChatGeminiCompat`, in two groups: how to reach the model, and what goes into a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr

from langchain_gemini_compat._surfaces import Surface

if TYPE_CHECKING:
    from collections.abc import Mapping


class ConnectionFields(BaseModel):
    """Where to, as whom, over what; none of it goes into the body."""

    model_config = ConfigDict(
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
    base_url: str | None = None
    """Up to and without `/chat/completions` or `/embeddings`."""
    api_version: str = "v1"
    surface: Surface | None = None
    api_key: SecretStr | Callable[[], str] | Callable[[], Awaitable[str]] | None = Field(
        default=None, validation_alias=AliasChoices("api_key", "google_api_key")
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
        validation_alias=AliasChoices("default_headers", "additional_headers"),
    )
    default_query: dict[str, str] | None = Field(default=None, exclude=True, repr=False)
    timeout: Any = Field(default=None, validation_alias=AliasChoices("timeout", "request_timeout"))
    """Seconds, a `Timeouts` dict with limits of their own, or the HTTP library's `Timeout`."""
    max_retries: int = Field(default=2, ge=0)
    """At most so many further requests, all reasons together; the one new try after a 401 is not counted."""
    http_client: Any = Field(default=None, exclude=True, repr=False)
    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    strict: bool = False
    """Raise, before anything is sent, where something would be repaired or dropped."""
    streaming: bool = False


class RequestFields(BaseModel):
    """Options of a request, by their public names; a call may override each."""

    model_config = ConfigDict(populate_by_name=True)

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


#: Names an option may be given by at a call, beside its own.
_ALIASES = {
    "max_output_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "stop_sequences": "stop",
    "candidate_count": "n",
    "model_name": "model",
    "response_modalities": "modalities",
}


def spell_options(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a call under their own names.

    >>> spell_options({"max_output_tokens": 5})
    {'max_tokens': 5}
    """
    return {_ALIASES.get(name, name): value for name, value in kwargs.items()}

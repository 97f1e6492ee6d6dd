"""Parameters of the models, in two classes: parameters of the connection, and options of a request.

Each `description` gives purpose and unit, then the default, then the surfaces. `docs/reference/parameters.md` is
generated from the descriptions.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, ClassVar, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, field_validator

from langchain_gemini_compat._catalog.surfaces import Surface
from langchain_gemini_compat._settings.aliases import (
    COMPOSITES,
    OPTION_COMPOSITES,
    check_options,
    find_similar,
    hide_secrets,
    normalize_arguments,
)
from langchain_gemini_compat._settings.http_options import clean_headers, clean_query
from langchain_gemini_compat._wire.google_types import dump_settings
from langchain_gemini_compat.errors import UnsupportedParameterError


class ConnectionFields(BaseModel):
    """Parameters of chat model and embeddings: model, endpoint, credentials and transport."""

    # No object of this base class is created, so pydantic need not build the validators of the class at import.
    model_config: ClassVar[ConfigDict] = ConfigDict(
        populate_by_name=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
        defer_build=True,
    )

    model: str = Field(
        default="",
        validation_alias=AliasChoices("model", "model_name"),
        description="Name of the model. `gemini-x`, `google/gemini-x` and `models/gemini-x` mean the same on Google's "
        'surfaces. Compatible servers get the name unchanged. Default: `""`, which works only for a Vertex AI endpoint '
        "of your own. Surfaces: all.",
    )
    project: str | None = Field(
        default=None,
        description="ID or number of the Google Cloud project. It selects Vertex AI. Domain-scoped IDs such as "
        "`example.com:my-project` are valid. Default: `None`, which means the environment variable "
        "`GOOGLE_CLOUD_PROJECT`, then the project of the credentials. Surfaces: Vertex AI.",
    )
    location: str | None = Field(
        default=None,
        description="Region such as `us-central1`, or `us`, `eu` or `global`. It selects Vertex AI. Newer models "
        "are only in `global`, `us` and `eu`. Default: `None`, which means the environment variable "
        "`GOOGLE_CLOUD_LOCATION`, then `global`. Surfaces: Vertex AI.",
    )
    endpoint_id: str | None = Field(
        default=None,
        description="ID of a Vertex AI endpoint to which you deployed a model. It selects Vertex AI. The endpoint "
        "serves one model, so `model` may be left out. Default: `None`, which means Google's shared endpoint. "
        "Surfaces: Vertex AI.",
    )
    base_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("base_url", "openai_api_base", "api_base"),
        description="Address of the API without `/chat/completions` or `/embeddings`, with its scheme. "
        "`api_endpoint` and `client_options` set it too. The end of the address selects the surface: "
        "`/endpoints/openapi` is Vertex AI, and `/v1beta/openai` is AI Studio. Default: `None`, which means Google's "
        "address for the surface. Surfaces: all.",
    )
    api_version: str = Field(
        default="v1",
        description="Version of the Vertex AI API in the URL, such as `v1beta1`. It is not used if `base_url` has a "
        'path. Default: `"v1"`. Surfaces: Vertex AI.',
    )
    surface: Surface | None = Field(
        default=None,
        description='The API to use: `"vertex"`, `"ai_studio"` or `"openai_compatible"`. Set it for a gateway that '
        "passes requests on to Gemini, so that the package sends histories and tools as Gemini requires. Default: "
        "`None`, which means the surface that follows from the other arguments and the environment. Surfaces: all.",
    )
    api_key: SecretStr | Callable[[], str] | Callable[[], Awaitable[str]] | None = Field(
        default=None,
        validation_alias=AliasChoices("api_key", "google_api_key", "gemini_api_key", "openai_api_key"),
        description="API key, or a function that returns a bearer token and is called for each request. An async "
        "function works in async calls only. Not allowed together with `credentials`. `repr` and traces do not show "
        "the key. Default: `None`, which means `GOOGLE_API_KEY`, then `GEMINI_API_KEY` on AI Studio, and "
        "`credentials` on Vertex AI. Surfaces: all.",
    )
    credentials: Any = Field(
        default=None,
        exclude=True,
        repr=False,
        description="A `google.auth.credentials.Credentials` object. It selects Vertex AI unless `base_url` is "
        "given. Not allowed together with `api_key`. The token is refreshed before it expires, once for all threads "
        "and tasks. Default: `None`, which means application default credentials on Vertex AI. Surfaces: all.",
    )
    quota_project_id: str | None = Field(
        default=None,
        description="Project that is billed for the requests, sent as the header `x-goog-user-project`. Default: "
        "`None`, which means the quota project of the credentials. Surfaces: all.",
    )
    model_kwargs: dict[str, Any] = Field(
        default_factory=dict,
        description="Further keys of the request body. `ChatGeminiCompat` leaves out keys that the surface does not "
        "take, with a warning. `GeminiCompatEmbeddings` sends all keys. Default: `{}`. Surfaces: all.",
    )
    default_headers: dict[str, str] | None = Field(
        default=None,
        exclude=True,
        repr=False,
        validation_alias=AliasChoices("default_headers", "additional_headers", "extra_headers", "headers"),
        description="HTTP headers of every request, in addition to those of the package. A line break, or a "
        "character that is not ASCII, raises `ValueError`. `repr` does not show the values. Default: `None`. "
        "Surfaces: all.",
    )
    default_query: dict[str, str] | None = Field(
        default=None,
        exclude=True,
        repr=False,
        validation_alias=AliasChoices("default_query", "extra_query"),
        description="Query parameters of every request. An example is `api-version`, for a gateway that requires "
        "it. Default: `None`. Surfaces: all.",
    )
    timeout: Any = Field(
        default=None,
        validation_alias=AliasChoices("timeout", "request_timeout"),
        description="Time limits of a call: seconds, a `timedelta`, `(connect, read)`, a `Timeouts` dict, or the "
        "`Timeout` of httpx, httpx2 or openai. A number limits the time to the first chunk and between chunks. An "
        "expired limit raises `RequestTimeoutError`. Default: `None`, which means 30 s to connect, 600 s to the "
        "first chunk or the whole reply, 120 s between chunks, 120 s for all waits between tries, and no limit for "
        "the whole call. Surfaces: all.",
    )
    max_retries: int = Field(
        default=2,
        ge=0,
        validation_alias=AliasChoices("max_retries", "retries"),
        description="Maximum number of retries of one call, 0 or more. One request with a new token after a 401 "
        "does not count as a retry. The package retries 408, 429, 5xx, failed connections, expired limits, and "
        "replies that are empty or have a malformed call. It waits as long as the server says. If the "
        "server says nothing, it waits 0.5 s, and twice as long after each further try. Default: `2`. Surfaces: all.",
    )
    http_client: Any = Field(
        default=None,
        exclude=True,
        repr=False,
        description="Client for sync calls: `httpx.Client` with openai 2, `httpx2.Client` with openai 3. The client's "
        "proxies, certificates and connection limits apply. The package neither closes nor shares the client. Default: "
        "`None`, which means a client that the package builds. Surfaces: all.",
    )
    http_async_client: Any = Field(
        default=None,
        exclude=True,
        repr=False,
        description="Client for async calls: `httpx.AsyncClient` with openai 2, `httpx2.AsyncClient` with openai 3. "
        "The package neither closes nor shares the client. Google's requests for access tokens do not use this client. "
        "Default: `None`, which means a client that the package builds. Surfaces: all.",
    )
    strict: bool = Field(
        default=False,
        description="Whether the package raises an error if it would have to repair or leave out a part of the "
        "request. Default: `False`, which means that it changes the request and warns once. Surfaces: all.",
    )
    streaming: bool = Field(
        default=False,
        description="Whether `invoke` and `ainvoke` stream the reply and return the sum of its chunks. With "
        "`True`, the limit `first_byte` applies to the first chunk and not to the whole reply. Embeddings ignore this "
        "parameter. Default: `False`. Surfaces: all.",
    )

    @field_validator("model", mode="before")
    @classmethod
    def _read_missing_model(cls, value: object) -> object:
        """Replace the model name `None` with an empty string. Some endpoints need no model name."""
        return "" if value is None else value

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
        """Replace `None` with the default, as `ChatOpenAI` does."""
        return cls.model_fields["max_retries"].default if value is None else value

    def redacted_fields(self) -> dict[str, object]:
        """Return copies of `extra_body` and `model_kwargs` with secrets replaced. Leave out fields without secrets."""
        given = {name: getattr(self, name, None) for name in ("extra_body", "model_kwargs")}
        return {name: shown for name, value in given.items() if (shown := hide_secrets(value)) is not value}

    def routing_digest(self, options: Mapping[str, object] | None = None) -> str:
        """Return a digest of `default_headers`, `default_query` and body keys with secrets, for LangChain's cache key.

        The cache key depends on these values, because a gateway may use them to choose the model. The values may be
        secret, so the cache key contains only a digest.

        Args:
            options: Options of one call. They are included if they contain a secret. Default: none.

        Returns:
            A SHA-256 digest in hexadecimal, or an empty string if there are no such values.
        """
        # Convert header names to lower case, because header names are case-insensitive.
        headers = {name.lower(): value for name, value in (self.default_headers or {}).items()}
        query = self.default_query or {}
        secret = [getattr(self, name) for name in self.redacted_fields()]
        secret += [options] if options and hide_secrets(options) is not options else []
        if not headers and not query and not secret:
            return ""
        text = json.dumps([headers, query, *secret], sort_keys=True, default=repr)
        return sha256(text.encode(errors="replace")).hexdigest()


class RequestFields(BaseModel):
    """Parameters that are options of a request. A call can override each of them."""

    # No object of this base class is created, so pydantic need not build the validators of the class at import.
    model_config: ClassVar[ConfigDict] = ConfigDict(populate_by_name=True, defer_build=True)

    temperature: float | None = Field(
        default=None,
        description="Randomness of the answer. Gemini accepts 0 to 2. 0 gives the likeliest words, and a higher "
        "value gives more varied answers. Default: `None`, which means the model's default. Surfaces: all.",
    )
    top_p: float | None = Field(
        default=None,
        description="Tokens are drawn only from the likeliest tokens whose probabilities add up to this "
        "value, 0 to 1. Default: `None`, which means the model's default. Surfaces: all.",
    )
    max_tokens: int | None = Field(
        default=None,
        validation_alias=AliasChoices("max_tokens", "max_output_tokens", "max_completion_tokens"),
        description="Maximum length of the reply in tokens, 1 or more. Thoughts are included. A value above the "
        "model's limit is lowered to that limit. If the answer is cut off, the finish reason is `length`. If thoughts "
        "used all tokens, the call raises `EmptyReplyError`. Default: `None`, which means the model's own limit. "
        "Surfaces: all.",
    )
    stop: list[str] | str | None = Field(
        default=None,
        validation_alias=AliasChoices("stop", "stop_sequences"),
        description="A string, or a list of strings, at which the answer ends. The answer does not contain the "
        "string itself. Default: `None`. Surfaces: all.",
    )
    n: int | None = Field(
        default=None,
        validation_alias=AliasChoices("n", "candidate_count"),
        description="Number of answers to one request. Gemini models, and streams of any model, return one "
        "answer. Default: `None`, which means 1. Surfaces: compatible servers.",
    )
    seed: int | None = Field(
        default=None,
        description="Seed for sampling: equal requests with an equal seed get similar answers. Default: `None`, which "
        "means a random seed. Surfaces: Vertex AI, compatible servers.",
    )
    presence_penalty: float | None = Field(
        default=None,
        description="Penalty for tokens that the answer already contains, from -2 to 2. Default: `None`, which means "
        "no penalty. Surfaces: Vertex AI, compatible servers.",
    )
    frequency_penalty: float | None = Field(
        default=None,
        description="Penalty that grows with the number of times that the answer already contains the token, from -2 "
        "to 2. Default: `None`, which means no penalty. Surfaces: Vertex AI, compatible servers.",
    )
    logprobs: bool | None = Field(
        default=None,
        description="Whether the reply has the log probability of each token. The values are in "
        '`response_metadata["logprobs"]` of the message. Default: `None`, which means no. Surfaces: compatible '
        "servers.",
    )
    top_logprobs: int | None = Field(
        default=None,
        description="Number of alternatives per token with their log probabilities. Set it together with "
        "`logprobs=True`. Default: `None`, which means none. Surfaces: compatible servers.",
    )
    reasoning_effort: str | None = Field(
        default=None,
        description="How much the model thinks: `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`. A "
        "Gemini model gets its highest value that is not above yours, otherwise its lowest value. Not allowed "
        "together with `thinking_level` or `thinking_budget`. `none` turns thinking off, if the model allows this. "
        "Default: `None`, which means the model's default. Surfaces: all.",
    )
    thinking_level: str | None = Field(
        default=None,
        description="How much the model thinks, with the same values as `reasoning_effort`. It is sent as Google's "
        "option `thinking_level`. Not allowed together with `reasoning_effort` or `thinking_budget`. Default: `None`, "
        "which means the model's default. Surfaces: all.",
    )
    thinking_budget: int | None = Field(
        default=None,
        description="Maximum length of the thoughts in tokens. `0` turns thinking off, and `-1` lets the model choose. "
        "Not allowed together with `reasoning_effort` or `thinking_level`. Default: `None`, which means the model's "
        "default. Surfaces: all.",
    )
    include_thoughts: bool | None = Field(
        default=None,
        description="Whether the reply has summaries of the model's thoughts, as `reasoning` blocks outside of the "
        "text. Thoughts cost output tokens with and without the summaries. Default: `None`, which means no. "
        "Surfaces: all.",
    )
    thought_tag_marker: str | None = Field(
        default=None,
        description="Name of the tag with which Vertex AI marks thoughts in the text. The package removes the tags. "
        'Default: `None`, which means `"thought"` if `include_thoughts` is set. Surfaces: Vertex AI, compatible '
        "servers.",
    )
    safety_settings: Any = Field(
        default=None,
        description="Thresholds of Google's content filters: a list of `{category, threshold}` dicts or of Google's "
        "`SafetySetting`, or a dict from category to threshold. Categories and thresholds are names or enum members. "
        "Default: `None`, which means Google's thresholds. Surfaces: all.",
    )
    cached_content: str | None = Field(
        default=None,
        description="Resource name of a context cache, such as `cachedContents/1`. The cached content comes "
        "first in the prompt. Create the cache with Google's SDK, for the same model. Gemini 4 has no such caches, so "
        "the name is left out. Default: `None`. Surfaces: all.",
    )
    media_resolution: str | None = Field(
        default=None,
        description="Resolution at which the model reads media, such as `MEDIA_RESOLUTION_LOW`. A lower resolution "
        "costs fewer tokens. Default: `None`, which means the model's default. Surfaces: Vertex AI, compatible "
        "servers.",
    )
    modalities: list[str] | None = Field(
        default=None,
        validation_alias=AliasChoices("modalities", "response_modalities"),
        description="Kinds of output: `text`, `image` or `audio`, in lowercase or uppercase. Images of a reply are "
        "`image` blocks of the message. Default: `None`, which means the model's default. Surfaces: Vertex AI, "
        "compatible servers.",
    )
    stream_function_call_arguments: bool | None = Field(
        default=None,
        description="Whether a stream delivers the arguments of a tool call in several chunks instead of one. The sum "
        "of the chunks does not depend on this parameter. Default: `None`, which means all in one chunk. Surfaces: "
        "Vertex AI, compatible servers.",
    )
    service_tier: str | None = Field(
        default=None,
        description="Price and priority of the request, such as `flex`. Vertex AI accepts only `priority`, "
        "which is sent as a header. Default: `None`, which means the server's default. Surfaces: all.",
    )
    extra_body: dict[str, Any] | None = Field(
        default=None,
        description="Fields that the package adds to the finished body without a check. The entry `google` is sent "
        "inside the body's key `extra_body`, and all other entries at the root. Default: `None`. Surfaces: all.",
    )
    stream_usage: bool = Field(
        default=True,
        description="Whether a stream asks for token counts. Vertex AI always sends them. The counts are in "
        "`usage_metadata` of the last chunk. Default: `True`. Surfaces: AI Studio, compatible servers.",
    )
    include_response_headers: bool = Field(
        default=False,
        description='Whether `response_metadata["headers"]` of a message has the HTTP headers of the reply, such as '
        "the request ID. Cookies and credentials are left out. Default: `False`. Surfaces: all.",
    )
    invalid_tool_calls: Literal["raise", "keep"] = Field(
        default="raise",
        description='What happens to a malformed tool call: `"raise"` raises `MalformedToolCallError`, `"keep"` '
        'puts it into `invalid_tool_calls` of the message. With `"raise"`, the package first sends the request again, '
        'up to `max_retries` times. Default: `"raise"`. Surfaces: all.',
    )

    @field_validator("safety_settings", mode="before")
    @classmethod
    def _dump_safety_settings(cls, value: object) -> object:
        """Convert safety settings that are objects of Google's SDK to dicts, so that the model can be serialized."""
        return dump_settings(value)


def aliases_of(cls: type[BaseModel]) -> dict[str, str]:
    """Return a dict from each alias that the constructor accepts to the name of the field."""
    return {
        alias: name
        for name, field in cls.model_fields.items()
        if isinstance(field.validation_alias, AliasChoices)
        for alias in map(str, field.validation_alias.choices)
        if alias != name
    }


_OPTION_ALIASES = {**aliases_of(RequestFields), "model_name": "model"}
#: Names and aliases of all parameters that can be set only on the model, not for a call.
_MODEL_ONLY = (
    ConnectionFields.model_fields.keys() | aliases_of(ConnectionFields) | (COMPOSITES.keys() - OPTION_COMPOSITES)
) - {"model", "model_name", "strict", "streaming"} | {"catalog"}
_OWN_OPTIONS = RequestFields.model_fields.keys() | {"model", "strict", "streaming"}
#: Options of a call that the constructor does not accept.
_CALL_OPTIONS = frozenset({"tools", "tool_choice", "parallel_tool_calls", "response_format", "web_search_options"})
_OPTIONS = _OWN_OPTIONS | _CALL_OPTIONS


def normalize_options(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a call, or of `model_kwargs`, with their names replaced by the names of our parameters.

    Raises `UnsupportedParameterError` if two names of one option have different values, if an option can only be set
    on the model, or if an option looks like a secret and would go into the body.

    >>> normalize_options({"max_output_tokens": 5})
    {'max_tokens': 5}
    """
    if kwargs.keys() <= _OPTIONS:
        return dict(kwargs)
    misplaced = next((name for name in kwargs if name in _MODEL_ONLY), None)
    if misplaced is not None:
        raise UnsupportedParameterError(
            f"`{misplaced}` belongs to the model and cannot be set for a call. Pass it to the constructor, or copy the "
            "model: `model.model_copy(update={…})`."
        )
    spelled = normalize_arguments(kwargs, _OPTION_ALIASES)
    check_options({name: value for name, value in spelled.items() if name not in _OWN_OPTIONS}, "a call")
    return spelled


#: Names and aliases of all options of a call. An option with another name is sent to the server unchanged.
KNOWN_OPTIONS = _OPTIONS | _OPTION_ALIASES.keys() | OPTION_COMPOSITES


def find_misspelled(options: Iterable[str]) -> dict[str, str]:
    """Return a dict from each name in `options` that seems misspelled to the option that was probably meant.

    >>> find_misspelled(["tempreature", "temperature", "top_k"])
    {'tempreature': 'temperature'}
    """
    return {name: meant for name in options if name not in _OWN_OPTIONS and (meant := _find_meant(name))}


@lru_cache(maxsize=256)
def _find_meant(name: str) -> str | None:
    # With a cutoff of 0.8, `top_k` would count as a misspelled `top_p`. But `top_k` is a valid key of many servers.
    return None if name in KNOWN_OPTIONS else find_similar(name, KNOWN_OPTIONS, cutoff=0.88)

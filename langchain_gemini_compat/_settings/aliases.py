"""Converts the parameter names of other chat models to our names, and checks unknown names.

The conversion and the check apply to the arguments of a constructor and to the options of a call. If two names of one
parameter have different values, an error is raised. An unknown argument that looks like a secret raises an error,
because a secret must not go into a request body. An unknown argument that looks like a server's address raises an
error, because a key must not go to the wrong server.

The names are those of `ChatOpenAI` (langchain-openai 1.0), `ChatGoogleGenerativeAI` (langchain-google-genai 4.4),
`ChatVertexAI` (langchain-google-vertexai 3.2) and `ChatLiteLLM` (langchain-litellm 0.3), and of their embeddings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from enum import Enum
from functools import lru_cache
from operator import is_
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from pydantic import SecretStr

from langchain_gemini_compat._wire.google_types import dump_typed
from langchain_gemini_compat.errors import UnsupportedParameterError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

#: Maps each composite argument to the parameters that it sets. A composite argument belongs to another chat model. It
#: sets several of our parameters, or sets one parameter in another form.
COMPOSITES: Mapping[str, tuple[str, ...]] = {
    "thinking_config": ("thinking_level", "thinking_budget", "include_thoughts"),
    "response_mime_type": ("response_format",),
    "response_schema": ("response_format",),
    "generation_config": (),
    "client_options": ("base_url", "api_key", "quota_project_id"),
    "api_endpoint": ("base_url",),
    "vertexai": ("surface",),
}
#: The arguments in `COMPOSITES` that are options of a request. The others choose the server.
OPTION_COMPOSITES = frozenset({"thinking_config", "response_mime_type", "response_schema", "generation_config"})
_OWN_CLIENT = "Pass a client of your own as `http_client` and `http_async_client`."
_PROXY = "Pass `http_client` and `http_async_client` with a proxy, or set HTTPS_PROXY."
_ENDPOINT_ID = "Pass `endpoint_id` for a model that you deployed."
_AZURE = "This class has no access to Azure: use `AzureChatOpenAI`, or pass `base_url` and `api_key` of a gateway."
#: Maps arguments with which other chat models choose the server or the connection to advice for the error message. If
#: such an argument were ignored, requests would go to the wrong server.
REFUSED: Mapping[str, str] = {
    "openai_proxy": _PROXY,
    "proxy": _PROXY,
    "proxies": _PROXY,
    "http_options": "Pass `base_url`, `default_headers` and `timeout`.",
    "http_socket_options": _OWN_CLIENT,
    "client_args": _OWN_CLIENT,
    "client_cert_source": _OWN_CLIENT,
    "client": _OWN_CLIENT,
    "async_client": _OWN_CLIENT,
    "root_client": _OWN_CLIENT,
    "root_async_client": _OWN_CLIENT,
    "transport": "Requests always go over HTTP. " + _OWN_CLIENT,
    "api_transport": "Requests always go over HTTP. " + _OWN_CLIENT,
    "full_model_name": _ENDPOINT_ID,
    "tuned_model_name": _ENDPOINT_ID,
    "vertex_project": "Pass `project`.",
    "vertex_location": "Pass `location`.",
    "vertex_credentials": "Pass `credentials`.",
    "azure_endpoint": _AZURE,
    "azure_deployment": _AZURE,
    "openai_api_type": _AZURE,
    "openai_api_version": _AZURE,
    "custom_llm_provider": "Pass `base_url` or `surface`.",
    "use_responses_api": "This class uses only Chat Completions. Use `ChatOpenAI` for the Responses API.",
    "use_previous_response_id": "This class uses only Chat Completions. Use `ChatOpenAI` for the Responses API.",
}
#: Arguments of other chat models that are not body keys. They are left out with a warning. Each argument is mapped to
#: the last sentence of its warning.
IGNORED: Mapping[str, str] = {
    "openai_organization": 'For a gateway that needs it, pass `default_headers={"OpenAI-Organization": …}`.',
    "organization": 'For a gateway that needs it, pass `default_headers={"OpenAI-Organization": …}`.',
    "stream_chunk_timeout": 'Pass `timeout={"between_chunks": …}`.',
    "tiktoken_model_name": "The package estimates tokens without tiktoken.",
    "tiktoken_enabled": "The package estimates tokens without tiktoken.",
    "disabled_params": "The package leaves out parameters that a surface does not accept.",
    "convert_system_message_to_human": "System messages are sent unchanged.",
    "default_metadata": "The package sends no metadata of its own.",
    "default_metadata_input": "The package sends no metadata of its own.",
    "request_parallelism": "Pass `max_concurrency` in the config of a call.",
    "wait_exponential_kwargs": "The server says how long to wait. To limit the time, pass `retry_wait` in `timeout`.",
    "examples": "Pass examples as messages.",
    "audio_timestamp": "The OpenAI-compatible API has no such option.",
    "perform_literal_eval_on_string_raw_content": "Content is sent unchanged.",
    "client_preview": "The package creates its clients itself.",
    "model_provider": "Pass `surface` to choose the API.",
    "request_options": "Pass `timeout` and `max_retries`.",
    "check_embedding_ctx_length": "Texts are not split.",
    "embedding_ctx_length": "Texts are not split.",
    "show_progress_bar": "The package shows no progress bar.",
}
#: Pairs of an argument and the value with which it selects HTTP. The package always uses HTTP, so the argument raises
#: no error with this value.
_HTTP_ONLY = frozenset({("transport", "rest"), ("api_transport", "rest")})
#: The arguments whose keys are sent in the request body unchanged.
_BODY_ARGUMENT = "`extra_body` of `ChatGeminiCompat` or `model_kwargs` of `GeminiCompatEmbeddings`"
#: Parameters that choose the server or the credential. An unknown name that resembles one of them raises an error.
_DESTINATION = (
    "project", "location", "endpoint_id", "base_url", "api_version", "surface", "api_key", "credentials",
    "quota_project_id", "default_headers", "default_query", "http_client", "http_async_client",
)  # fmt: skip
_SECRET = re.compile(r"key|token|secret|passw|credential|authoriz|bearer|cookie|auth$|^auth_")
#: Body keys of OpenAI or vLLM whose names look like those of secrets, but whose values are not secret.
_NOT_SECRET = frozenset({"prompt_cache_key", "tokenizer", "tokenizer_mode", "truncate_prompt_tokens"})
#: The text that replaces a secret.
_HIDDEN = "[hidden]"
#: Keys of a JSON Schema that map names of members to schemas. The name of a member may be `password`, but its schema is
#: not a secret.
_MEMBER_KEYS = frozenset({"properties", "patternProperties", "$defs", "definitions"})
#: Maximum depth to which a value is searched for secrets.
_MAX_DEPTH = 40
#: Types of values that contain no other values.
_SCALARS = frozenset({str, bool, int, float, type(None)})
_ADDRESS = re.compile(r"(^|_)(url|uri|base|endpoint|host|proxy|proxies|server|gateway)$")
#: Matches names of arguments with which other packages choose the project or the region, such as `vertex_ai_project`.
_PLACE = re.compile(r"(^|_)(project|location|region)(_id)?$")
_AI_STUDIO_HOST = "generativelanguage.googleapis.com"


@lru_cache(maxsize=512)
def is_secret_name(name: object) -> bool:
    """Return whether an argument of this name is likely to contain a secret.

    >>> is_secret_name("anthropic_api_key"), is_secret_name("prompt_cache_key"), is_secret_name("top_k")
    (True, False, False)
    """
    return isinstance(name, str) and name not in _NOT_SECRET and _SECRET.search(name.lower()) is not None


def holds_secret(name: str, value: object) -> bool:
    """Return whether the argument is likely to contain a secret. A number such as `min_tokens=5` is not a secret."""
    return is_secret_name(name) and _may_be_secret(value)


def hide_secrets(value: object, depth: int = 0) -> object:
    """Return a copy of `value` with secrets replaced, or `value` itself if it does not contain secrets.

    A value counts as a secret if its key in a dict looks like the name of a secret.

    >>> hide_secrets({"api_key": "sk-1", "top_k": 1, "mcp": [{"headers": {"Authorization": "Bearer 1"}}]})
    {'api_key': '[hidden]', 'top_k': 1, 'mcp': [{'headers': {'Authorization': '[hidden]'}}]}
    """
    if not isinstance(value, (dict, list, tuple, Mapping)) or not value:
        return value
    if depth > _MAX_DEPTH:
        return _HIDDEN
    if isinstance(value, (list, tuple)):
        items = cast("Sequence[object]", value)
        shown_items = [item if type(item) in _SCALARS else hide_secrets(item, depth + 1) for item in items]
        return value if all(map(is_, shown_items, items)) else shown_items
    pairs = cast("Mapping[object, object]", value)
    # Scalars need no function call, except those that are named like a secret. Most values are scalars, so this saves
    # time.
    shown = {
        name: inner if type(inner) in _SCALARS and not is_secret_name(name) else _hide_secret(name, inner, depth)
        for name, inner in pairs.items()
    }
    return value if all(map(is_, shown.values(), pairs.values())) else shown


def _hide_secret(name: object, value: object, depth: int) -> object:
    if value and is_secret_name(name) and _may_be_secret(value):
        return _HIDDEN
    return value if name in _MEMBER_KEYS else hide_secrets(value, depth + 1)


def normalize_arguments(
    given: Mapping[str, object], aliases: Mapping[str, str], *, whole: Collection[str] = ()
) -> dict[str, object]:
    """Return the arguments with their names replaced by the names of our parameters.

    Names that are not in `aliases` stay unchanged. A composite argument (see `COMPOSITES`) is replaced by the
    parameters that it sets, unless `whole` contains its name.

    Raises `UnsupportedParameterError` if two names of one parameter have different values, or if a composite argument
    cannot be split. The message never contains a value.

    >>> normalize_arguments({"max_output_tokens": 5, "top_k": 1}, {"max_output_tokens": "max_tokens"})
    {'max_tokens': 5, 'top_k': 1}
    """
    if "generation_config" in given and "generation_config" not in whole:
        given = _unpack_generation_config(given, aliases)
    found: dict[str, object] = {}
    sources: dict[str, str] = {}
    for source, name, value in _expand_arguments(given, aliases, whole):
        if name not in found or found[name] is None:
            found[name], sources[name] = value, source
        elif value is not None and not _is_same(found[name], value):
            raise UnsupportedParameterError(
                f"`{sources[name]}` and `{source}` are names of the same parameter and have different values. Pass one "
                "of them."
            )
    return found


def has_no_effect(name: str, value: object) -> bool:
    """Return whether an unknown argument has a value that changes nothing, such as `openai_proxy=None`.

    >>> has_no_effect("use_responses_api", False), has_no_effect("transport", "rest"), has_no_effect("top_k", None)
    (True, True, True)
    """
    if value is None:
        return True
    if name not in REFUSED and name not in IGNORED:
        return False
    return value is False or (isinstance(value, str) and (name, value) in _HTTP_ONLY)


def check_unknown(unknown: Mapping[str, object], owner: str, known: Iterable[str]) -> dict[str, str]:
    """Return a dict from each unknown argument of `owner`'s constructor to advice, which may be an empty string.

    Raises `UnsupportedParameterError` for an argument that may contain a secret or that chooses the server.
    """
    names = [*known]
    advice: dict[str, str] = {}
    for name, value in unknown.items():
        if name in REFUSED:
            raise UnsupportedParameterError(f"{owner} has no argument `{name}`. {REFUSED[name]}")
        if name in IGNORED:
            advice[name] = IGNORED[name]
            continue
        if holds_secret(name, value):
            raise UnsupportedParameterError(_secret_refusal(name, f"not an argument of {owner}"))
        place = _PLACE.search(name.lower())
        if place:
            ours = "project" if place[2] == "project" else "location"
            raise UnsupportedParameterError(f"{owner} has no argument `{name}`. Did you mean `{ours}`?")
        close = find_similar(name, names)
        if _is_address(name, value):
            raise UnsupportedParameterError(
                f"{owner} has no argument `{name}`. The argument looks like the address of a server. To choose the "
                f"server, pass `base_url`. If the server expects `{name}` in the request body, put it in "
                f"{_BODY_ARGUMENT}."
            )
        if close in _DESTINATION:
            raise UnsupportedParameterError(f"{owner} has no argument `{name}`. Did you mean `{close}`?")
        # With a lower cutoff, the advice for `top_k` would be `top_p`. But many servers have a parameter `top_k`.
        meant = find_similar(name, names, cutoff=0.81)
        advice[name] = f"Did you mean `{meant}`?" if meant else ""
    return advice


def find_similar(name: str, known: Iterable[str], cutoff: float = 0.72) -> str | None:
    """Return the name in `known` that resembles `name` most, or `None` if no name is similar.

    >>> find_similar("tempreature", ["max_tokens", "temperature"])
    'temperature'
    """
    return next(iter(get_close_matches(name.lower(), sorted(known), n=1, cutoff=cutoff)), None)


def check_body_keys(keys: Mapping[str, object]) -> None:
    """Raise `UnsupportedParameterError` for a key of `model_kwargs` that chooses the server in another chat model.

    Google's API has no such body keys, so the request would go to a server or project that the caller does not expect.
    """
    for name, value in keys.items():
        if name in REFUSED and not has_no_effect(name, value):
            raise UnsupportedParameterError(f"`{name}` in `model_kwargs` is not a key of a request. {REFUSED[name]}")


def check_options(options: Mapping[str, object], where: str) -> None:
    """Raise `UnsupportedParameterError` for an option that must not go into the request body.

    Such an option looks like a secret, or is Google's `http_options`, whose headers may contain a secret.
    """
    for name, value in options.items():
        if name == "http_options" and value is not None:
            raise UnsupportedParameterError(f"`http_options` is not an option of {where}. {REFUSED[name]}")
        if is_secret_name(name) and _may_be_secret(value):
            raise UnsupportedParameterError(_secret_refusal(name, f"not an option of {where}"))


def _secret_refusal(name: str, what: str) -> str:
    ours = "credentials" if "credential" in name.lower() else "api_key"
    return (
        f"`{name}` looks like a secret and is {what}, so it would be sent in the request body. To set the credential, "
        f"pass `{ours}` to the constructor. If the server expects `{name}` in the request body, put it in "
        f"{_BODY_ARGUMENT}."
    )


def _may_be_secret(value: object) -> bool:
    """Return whether `value` can be a secret. Numbers, booleans and lists of them are never secrets."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(_may_be_secret, cast("Iterable[object]", value)))
    return value is not None and not isinstance(value, (bool, int, float))


def _is_address(name: str, value: object) -> bool:
    if isinstance(value, str):
        return value.startswith(("http://", "https://")) or bool(value and _ADDRESS.search(name.lower()))
    return False


def _is_same(one: object, other: object) -> bool:
    return one is other or bool(_reveal(one) == _reveal(other))


def _reveal(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _expand_arguments(
    given: Mapping[str, object], aliases: Mapping[str, str], whole: Collection[str]
) -> Iterator[tuple[str, str, object]]:
    """For each parameter that `given` sets, yield the name of the argument, the name of the parameter and its value."""
    taken = given.keys() & (COMPOSITES.keys() - {"vertexai", *whole})
    for name, value in given.items():
        if name not in taken and not (name == "base_url" and isinstance(value, Mapping)):
            yield name, aliases.get(name, name), value
    options = given.get("base_url")
    if isinstance(options, Mapping):
        # `base_url` may be a dict of client options, as in `ChatGoogleGenerativeAI`.
        yield from _expand_client_options("base_url", cast("Mapping[str, object]", options))
    if taken:
        yield from _expand_composites({name: given[name] for name in taken})


def _expand_composites(given: Mapping[str, object]) -> Iterator[tuple[str, str, object]]:
    if given.get("thinking_config") is not None:
        for name, value in _expand_thinking_config(given["thinking_config"]):
            yield f"thinking_config.{name}", name, value
    if given.get("client_options") is not None:
        yield from _expand_client_options("client_options", given["client_options"])
    if given.get("api_endpoint") is not None:
        yield "api_endpoint", "base_url", _read_address("api_endpoint", given["api_endpoint"])
    response_format = _read_response_format(
        given.get("response_mime_type"), dump_typed(given.get("response_schema"), camel_case=True)
    )
    if response_format is not None:
        source = "response_schema" if given.get("response_schema") is not None else "response_mime_type"
        yield source, "response_format", response_format


def _unpack_generation_config(given: Mapping[str, object], aliases: Mapping[str, str]) -> dict[str, object]:
    """Return the arguments with `generation_config` replaced by its entries.

    `generation_config` is an instance of Google's class, or a dict with the same keys in snake case or camel case. An
    entry overrides an argument for the same parameter, even if entry and argument have different names.

    Raises `UnsupportedParameterError` for an entry that chooses the server or the connection.
    """
    config = given["generation_config"]
    try:
        # `config` may be an instance of Google's class. `dict()` works for it, because this class is a pydantic model.
        entries = dict(cast("Mapping[str, object]", config or {}))
    except (TypeError, ValueError) as err:
        raise UnsupportedParameterError(
            f"`generation_config` is a {type(config).__name__} and not a dict. Pass a dict, or its entries as options."
        ) from err
    set_entries = {_to_snake_case(name): value for name, value in entries.items() if value is not None}
    for name in set_entries:
        if name in REFUSED:
            raise UnsupportedParameterError(f"`generation_config` must not contain `{name}`. {REFUSED[name]}")
    overridden = {"generation_config", *(aliases.get(name, name) for name in set_entries)}
    rest = {name: value for name, value in given.items() if aliases.get(name, name) not in overridden}
    return {**rest, **set_entries}


def _to_snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _expand_thinking_config(config: object) -> Iterator[tuple[str, object]]:
    """Yield the name and value of each parameter in `config`.

    `config` is an instance of Google's `ThinkingConfig`, or a dict with the same keys in snake case or camel case.
    """
    fields = dump_typed(config)
    if not isinstance(fields, Mapping):
        raise UnsupportedParameterError(
            f"`thinking_config` is a {type(config).__name__} and not a dict. Pass a dict, or `thinking_level`, "
            "`thinking_budget` or `include_thoughts`."
        )
    for key, value in cast("Mapping[str, object]", fields).items():
        name = _to_snake_case(key)
        if name not in COMPOSITES["thinking_config"]:
            raise UnsupportedParameterError(
                f"`thinking_config` has no key `{key}`. Use {', '.join(COMPOSITES['thinking_config'])}."
            )
        yield name, value.value if isinstance(value, Enum) else value


def _expand_client_options(source: str, options: object) -> Iterator[tuple[str, str, object]]:
    """Yield the argument name, the parameter name and the value for each parameter that `options` sets.

    `options` is an instance of google-api-core's `ClientOptions`, a dict with the same keys, or an address.
    """
    if isinstance(options, str):
        yield source, "base_url", _read_address(source, options)
        return
    fields = options if isinstance(options, Mapping) else vars(options)
    for key, value in cast("Mapping[str, object]", fields).items():
        if value is None:
            continue
        if key == "api_endpoint":
            yield f"{source}.{key}", "base_url", _read_address(f"{source}.{key}", value)
        elif key in COMPOSITES["client_options"]:
            yield f"{source}.{key}", key, value
        else:
            raise UnsupportedParameterError(
                f"`{source}` has the key `{key}`, which this class cannot use. Pass `base_url`, `credentials`, "
                "`quota_project_id`, or a client of your own as `http_client` and `http_async_client`."
            )


def _read_address(source: str, value: object) -> str:
    """Convert an address of Google's packages to a base URL. Such an address is a host with or without a scheme."""
    if not isinstance(value, str) or not value.strip():
        raise UnsupportedParameterError(
            f"`{source}` is a {type(value).__name__} and not an address. Pass the address as `base_url`."
        )
    url = value if "://" in value else f"https://{value}"
    try:
        parts = urlsplit(url)
        is_bare = parts.hostname == _AI_STUDIO_HOST and parts.path.strip("/") in ("", "v1", "v1beta")
    except ValueError:
        return url
    return f"{parts.scheme}://{parts.netloc}/v1beta/openai" if is_bare else url


def _read_response_format(mime_type: object, schema: object) -> object:
    """Convert Google's `response_mime_type` and `response_schema` to OpenAI's `response_format`.

    Return `None` if neither argument selects JSON.
    """
    if mime_type is None or mime_type == "":
        return schema
    if mime_type == "application/json":
        return {"type": "json_object"} if schema is None else schema
    if mime_type == "text/plain" and schema is None:
        return None
    if mime_type == "text/plain":
        raise UnsupportedParameterError(
            '`response_mime_type="text/plain"` contradicts `response_schema`. Pass one of them.'
        )
    raise UnsupportedParameterError(
        "The OpenAI-compatible API takes only `text/plain` and `application/json` as `response_mime_type`. Use one of "
        "them, or `with_structured_output`."
    )


def replace_vertexai(given: dict[str, object]) -> None:
    """Remove `vertexai` from `given` and set `surface` instead. `vertexai` is a parameter of Google's packages.

    `vertexai=False` does not change `surface` if `given` contains a `surface` or a `base_url`.
    """
    wanted = given.pop("vertexai")
    if wanted is None:
        return
    if not isinstance(wanted, bool):
        raise UnsupportedParameterError(f"`vertexai` is a {type(wanted).__name__}. Pass `True` or `False`.")
    path = urlsplit(base).path.rstrip("/") if isinstance(base := given.get("base_url"), str) else ""
    if wanted:
        against = [f'surface="{given["surface"]}"'] if given.get("surface") not in (None, "vertex") else []
        against += ["base_url"] if path.endswith("/v1beta/openai") else []
    else:
        against = ['surface="vertex"'] if given.get("surface") == "vertex" else []
        against += [name for name in ("project", "location", "endpoint_id") if given.get(name)]
        against += ["base_url"] if path.endswith("/endpoints/openapi") else []
    if against:
        raise UnsupportedParameterError(
            f"`vertexai={wanted}` contradicts `{against[0]}`. Leave `vertexai` out: `project` or `location` selects "
            "Vertex AI, and a key alone selects AI Studio."
        )
    if wanted:
        given["surface"] = "vertex"
    elif given.get("surface") is None and not base:
        given["surface"] = "ai_studio"

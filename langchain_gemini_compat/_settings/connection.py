"""Resolves arguments and environment variables to an endpoint and a credential, and records the source of the key.

An argument takes precedence over the environment. If the environment contains both a project and a key, a warning says
that Vertex AI is used. Besides the arguments, this module reads only environment variables: no files, no credentials,
and no network.
"""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from pydantic import SecretStr

from langchain_gemini_compat._catalog.surfaces import (
    build_endpoint,
    check_segment,
    find_location,
    find_project,
    is_bare_vertex_host,
    is_encrypted_or_loopback,
    is_google_host,
    read_place,
    recognise_surface,
)
from langchain_gemini_compat.errors import GeminiCompatWarning

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from google.auth.credentials import Credentials

    from langchain_gemini_compat._catalog.surfaces import Endpoint, Surface

    ApiKey: TypeAlias = SecretStr | Callable[[], str] | Callable[[], Awaitable[str]]

#: Environment variables with an AI Studio key. The first variable that is set is used.
KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
#: Matches the prefix of a model name with which LiteLLM chooses a provider.
_ROUTE = re.compile(r"(?:gemini|vertex_ai(?:_beta)?|litellm_proxy)/")


@dataclass(frozen=True, slots=True)
class Connection:
    """The endpoint and the key to use.

    `key_source` says which argument or environment variable contained the key. It is empty if there is no key.
    """

    endpoint: Endpoint
    api_key: ApiKey | None
    key_source: str
    project: str | None = None
    location: str | None = None


def resolve_connection(
    *,
    model: str,
    surface: Surface | None,
    project: str | None,
    location: str | None,
    endpoint_id: str | None,
    base_url: str | None,
    api_version: str,
    api_key: ApiKey | None,
    credentials: Credentials | None,
    quota_project_id: str | None = None,
) -> Connection:
    """Return the connection that arguments and environment select. Raises `ValueError` if they select none."""
    _check_credential(api_key, credentials)
    _check_quota_project(quota_project_id)
    if base_url is not None:
        _check_url(base_url)
    found_key = None if api_key is not None else _find_key()
    has_place = bool(project or location or endpoint_id)
    if surface is None:
        has_vertex_arguments = has_place or credentials is not None
        url = None if endpoint_id else base_url
        surface = _choose_surface(url, has_vertex_arguments=has_vertex_arguments, api_key=api_key, found_key=found_key)
        if not (has_vertex_arguments or base_url) and found_key and os.environ.get("GOOGLE_CLOUD_PROJECT"):
            _warn_of_two_sources(found_key[0])
    if surface == "vertex":
        named = {"project": project, "location": location, "endpoint_id": endpoint_id}
        project, location = _complete_place(named, base_url)
    # Keep the path of `base_url`, except in two cases: the caller gives a project, location or endpoint, or `base_url`
    # is a host of Vertex AI without the path of an endpoint. Then `build_endpoint` adds this path if it is missing.
    keeps_path = not has_place and not is_bare_vertex_host(base_url or "", has_vertex_arguments=True)
    endpoint = build_endpoint(
        surface=surface,
        model=model,
        project=project or None,
        location=location or None,
        endpoint_id=endpoint_id or None,
        base_url=base_url,
        api_version=api_version,
        keeps_path=keeps_path,
    )
    if has_place and surface == "openai_compatible":
        _warn_of_unused_place()
    _check_receiver(endpoint, api_key, credentials)
    _check_model(endpoint, model)
    if api_key is not None:
        return Connection(endpoint, api_key, "argument `api_key`", project, location)
    if credentials is None and endpoint.needs_api_key:
        if found_key is None:
            raise ValueError(
                "AI Studio needs a key: pass `api_key` or set GOOGLE_API_KEY or GEMINI_API_KEY. Create one at "
                "https://aistudio.google.com/apikey."
            )
        if not is_encrypted_or_loopback(endpoint.base_url):
            raise ValueError(
                f"The key in {found_key[0]} would be sent unencrypted. Use an https `base_url`, or pass `api_key`."
            )
        return Connection(endpoint, SecretStr(found_key[1]), f"environment {found_key[0]}")
    return Connection(endpoint, None, "", project, location)


def _check_credential(api_key: ApiKey | None, credentials: Credentials | None) -> None:
    """Raise `ValueError` for a key and credentials together, or for a key or credentials that cannot be valid."""
    if api_key is not None and credentials is not None:
        raise ValueError("Pass `api_key` or `credentials`, not both: only one of them can be sent.")
    # An empty key is refused here, because requests with it would be sent without a credential.
    if isinstance(api_key, SecretStr) and not api_key.get_secret_value().strip():
        raise ValueError(
            "`api_key` is empty. Likely cause: its environment variable is not set. Leave `api_key` out for a server "
            "without keys."
        )
    if isinstance(api_key, SecretStr) and not _fits_header(api_key.get_secret_value()):
        raise ValueError("`api_key` has characters that are not allowed in HTTP headers. Copy it again.")
    if credentials is not None and (isinstance(credentials, type) or not hasattr(credentials, "refresh")):
        raise ValueError(
            f"`credentials` is a {type(credentials).__name__} and not a `google.auth.credentials.Credentials` object. "
            "`google.auth.load_credentials_from_file(path)[0]` loads such an object from a file."
        )


def _choose_surface(
    base_url: str | None, *, has_vertex_arguments: bool, api_key: ApiKey | None, found_key: tuple[str, str] | None
) -> Surface:
    has_project = bool(os.environ.get("GOOGLE_CLOUD_PROJECT"))
    return recognise_surface(
        base_url=base_url,
        has_vertex_arguments=has_vertex_arguments,
        has_api_key=api_key is not None or (found_key is not None and not has_project),
        has_project_in_environment=has_project,
    )


def _complete_place(named: dict[str, str | None], base_url: str | None) -> tuple[str | None, str | None]:
    """Return project and location for Vertex AI: from the arguments, else from `base_url`, else from the environment.

    The project `None` means the project of the credentials, and the location `None` means `global`. An argument that
    contradicts the path of `base_url` is ignored with a warning.
    """
    path = read_place(base_url or "")
    unused = [name for name, value in named.items() if value and path.get(name, value) != value]
    if unused:
        _warn_of_other_place(unused)
    kept = {name: value for name, value in named.items() if name not in unused}
    return (
        kept.get("project") or find_project(base_url or "") or _read_variable("GOOGLE_CLOUD_PROJECT", "project"),
        kept.get("location") or find_location(base_url or "") or _read_variable("GOOGLE_CLOUD_LOCATION", "location"),
    )


def _check_receiver(endpoint: Endpoint, api_key: ApiKey | None, credentials: Credentials | None) -> None:
    """Raise `ValueError` if credentials would be sent unencrypted, or default credentials to a host outside Google."""
    is_default = api_key is None and credentials is None and endpoint.uses_default_credentials
    if is_default and not is_google_host(endpoint.base_url):
        raise ValueError(
            "Application default credentials are sent only to Google's own hosts, over https. For another host pass "
            "`credentials=…` or `api_key=…` together with `base_url`."
        )
    is_secret = credentials is not None and not _is_anonymous(credentials)
    if is_secret and not is_encrypted_or_loopback(endpoint.base_url):
        raise ValueError(
            "`credentials` would be sent unencrypted. Use an https address as `base_url`; plain http works on "
            "`localhost`, `127.0.0.1` and `::1` only."
        )


def _check_model(endpoint: Endpoint, model: str) -> None:
    """Raise `ValueError` for a name with a prefix of LiteLLM, such as `gemini/`, which Google's API does not know."""
    prefix = _ROUTE.match(model)
    if prefix and is_google_host(endpoint.base_url):
        place = ", and pass `project` for Vertex AI" if "vertex" in prefix[0] and endpoint.surface != "vertex" else ""
        raise ValueError(
            f"`model` begins with `{prefix[0]}`, which is a route of LiteLLM. Leave the prefix out{place}."
        )


def _is_anonymous(credentials: Credentials) -> bool:
    """Return whether the credentials are anonymous. Class names are compared, so that google-auth is not imported."""
    return any(base.__name__ == "AnonymousCredentials" for base in type(credentials).__mro__)


def _check_quota_project(quota_project_id: object) -> None:
    """Raise `ValueError` for characters that are not allowed in HTTP headers.

    HTTP libraries would raise an error too, but their message would quote the value.
    """
    text = quota_project_id or ""
    if not isinstance(text, str) or not _fits_header(text):
        raise ValueError(
            "`quota_project_id` has characters that are not allowed in HTTP headers. Set it to a project ID."
        )


def _fits_header(text: str) -> bool:
    """Return whether `text`, without the white space around it, is allowed in HTTP headers."""
    return text.strip().isascii() and text.strip().isprintable()


def _read_variable(variable: str, argument: str) -> str | None:
    value = os.environ.get(variable) or None
    if value is not None:
        check_segment(argument, value, variable)
    return value


@lru_cache(maxsize=128)
def _check_url(base_url: str) -> None:
    """Raise `ValueError` if `base_url` is not a valid URL. The message does not quote the URL, which may be secret."""
    try:
        url = urlsplit(base_url)
        host, port = url.hostname, url.port
    except ValueError:
        raise ValueError("`base_url` has a host or port that is not valid. Write `https://HOST:PORT/v1`.") from None
    if "@" in url.netloc or ("://" not in base_url and "@" in base_url):
        raise ValueError("`base_url` contains a user name or password. Remove it and pass `api_key` instead.")
    if "://" not in base_url:
        raise ValueError("`base_url` has no scheme: write `https://` before it, or `http://` for a server without TLS.")
    if url.scheme not in ("http", "https"):
        raise ValueError("`base_url` has a scheme that is not supported. Use `https://` or `http://`.")
    if any(map(str.isspace, base_url)):
        raise ValueError("`base_url` has a space or a line break in it. Remove it.")
    if not base_url.isprintable() or "\\" in base_url or "%" in url.netloc:
        # If a URL contains such a character, URL parsers disagree about where the host ends.
        raise ValueError("`base_url` has characters that are not valid in a URL. Write `https://HOST:PORT/v1`.")
    if not host or port == 0:
        raise ValueError("`base_url` has no host, or it has port 0. Write `https://HOST:PORT/v1`.")
    if "?" in base_url or "#" in base_url:
        raise ValueError("`base_url` has a query or a fragment. Remove it; for a query, pass `default_query` instead.")


def _find_key() -> tuple[str, str] | None:
    for name in KEY_VARIABLES:
        value = os.environ.get(name)
        if value:
            return name, value
    return None


def has_two_sources() -> bool:
    """Return whether the environment contains both a project and a key."""
    return _find_key() is not None and bool(os.environ.get("GOOGLE_CLOUD_PROJECT"))


def _warn_of_two_sources(key_variable: str) -> None:
    warnings.warn(
        f"Both GOOGLE_CLOUD_PROJECT and {key_variable} are set. The model uses Vertex AI with application default "
        'credentials. Pass `surface="ai_studio"` to use the key, or `project=…` to silence this warning.',
        GeminiCompatWarning,
        stacklevel=5,
    )


def _warn_of_other_place(names: list[str]) -> None:
    warnings.warn(
        f"{', '.join(f'`{name}`' for name in names)}: ignored, because the path of `base_url` contains another value. "
        "Remove the argument, or the path of `base_url`.",
        GeminiCompatWarning,
        stacklevel=6,
    )


def _warn_of_unused_place() -> None:
    warnings.warn(
        "`project`, `location` and `endpoint_id` are not used, since `base_url` is not the address of a Vertex AI "
        'endpoint. Leave them out. If that address leads to Vertex AI, pass `surface="vertex"` and `credentials=…`.',
        GeminiCompatWarning,
        stacklevel=5,
    )

"""Arguments and environment to an endpoint and a credential, with the name of the source that won.

Its one rule: an argument beats the environment, and two sources are never mixed in silence. Reads variables of
the environment and nothing else: no file, no network, no credential.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from pydantic import SecretStr

from langchain_gemini_compat._surfaces import build_endpoint, recognise_surface
from langchain_gemini_compat.errors import GeminiCompatWarning

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from google.auth.credentials import Credentials

    from langchain_gemini_compat._surfaces import Endpoint, Surface

    ApiKey: TypeAlias = SecretStr | Callable[[], str] | Callable[[], Awaitable[str]]

_KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")


@dataclass(frozen=True, slots=True)
class Connection:
    """Where to and as whom; `key_source` names where the key came from, and is empty without a key."""

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
) -> Connection:
    """The connection that arguments and environment name; raises `ValueError` when they name none."""
    if api_key is not None and credentials is not None:
        raise ValueError("Pass `api_key` or `credentials`, not both: one of them would go unused.")
    _check_key(api_key)
    _check_credentials(credentials)
    if base_url is not None:
        _check_url(base_url)
    found_key = None if api_key is not None else _find_key()
    found_project = os.environ.get("GOOGLE_CLOUD_PROJECT") or None
    has_vertex_arguments = any((project, location, endpoint_id, credentials is not None))
    if surface is None:
        surface = recognise_surface(
            base_url=None if endpoint_id else base_url,
            has_vertex_arguments=has_vertex_arguments,
            has_api_key=api_key is not None or (found_key is not None and found_project is None),
            has_project_in_environment=found_project is not None,
        )
        if not (has_vertex_arguments or base_url) and found_key and found_project:
            _warn_of_two_sources(found_key[0])
    if surface == "vertex":
        project = project or found_project
        location = location or os.environ.get("GOOGLE_CLOUD_LOCATION") or None
    endpoint = build_endpoint(
        surface=surface,
        model=model,
        project=project,
        location=location,
        endpoint_id=endpoint_id,
        base_url=base_url,
        api_version=api_version,
    )
    if api_key is not None:
        return Connection(endpoint, api_key, "argument `api_key`", project, location)
    if credentials is None and surface == "ai_studio":
        if found_key is None:
            raise ValueError(
                "AI Studio needs a key: pass `api_key` or set GOOGLE_API_KEY or GEMINI_API_KEY. Keys are made at "
                "https://aistudio.google.com/apikey."
            )
        if not _is_safe(endpoint.base_url):
            raise ValueError(f"The key in {found_key[0]} is not sent unencrypted. Use https, or pass `api_key`.")
        return Connection(endpoint, SecretStr(found_key[1]), f"environment {found_key[0]}")
    return Connection(endpoint, None, "", project, location)


def _check_key(api_key: ApiKey | None) -> None:
    """An empty key would send a request without any: a variable was not set."""
    if isinstance(api_key, SecretStr) and not api_key.get_secret_value().strip():
        raise ValueError(
            "`api_key` is empty: is the variable set that it comes from? Leave it out for a server without keys."
        )


def _check_credentials(credentials: Credentials | None) -> None:
    if credentials is not None and (isinstance(credentials, type) or not hasattr(credentials, "refresh")):
        raise ValueError(
            f"`credentials` is a {type(credentials).__name__} and no `google.auth.credentials.Credentials` object. "
            "`google.auth.load_credentials_from_file(path)[0]` makes one of a file."
        )


@lru_cache(maxsize=128)
def _check_url(base_url: str) -> None:
    """Raise `ValueError` for what is no address of a server; never repeats it, for it may hold a password."""
    try:
        url = urlsplit(base_url)
        host, port = url.hostname, url.port
    except ValueError:
        raise ValueError("`base_url` has a host or port that is none: write `https://HOST:PORT/v1`.") from None
    if "@" in url.netloc or ("://" not in base_url and "@" in base_url):
        raise ValueError("`base_url` holds a user name or password: leave it out, and pass `api_key` instead.")
    if "://" not in base_url:
        raise ValueError("`base_url` has no scheme: write `https://` before it, or `http://` for a server without TLS.")
    if url.scheme not in ("http", "https"):
        raise ValueError("`base_url` has another scheme than `https://` or `http://`: write one of these.")
    if any(map(str.isspace, base_url)):
        raise ValueError("`base_url` has a space or a line break in it: write `https://HOST:PORT/v1`.")
    if not host or port == 0:
        raise ValueError("`base_url` names no host or port 0: write `https://HOST:PORT/v1`.")
    if "?" in base_url or "#" in base_url:
        raise ValueError("`base_url` has a query or a fragment: pass `default_query` instead.")


def _is_safe(base_url: str) -> bool:
    url = urlsplit(base_url)
    return url.scheme == "https" or url.hostname in ("localhost", "127.0.0.1", "::1")


def _find_key() -> tuple[str, str] | None:
    for name in _KEY_VARIABLES:
        value = os.environ.get(name)
        if value:
            return name, value
    return None


def finds_two_sources() -> bool:
    """Whether the environment names a project and a key too."""
    return _find_key() is not None and bool(os.environ.get("GOOGLE_CLOUD_PROJECT"))


def _warn_of_two_sources(key_variable: str) -> None:
    warnings.warn(
        f"Both GOOGLE_CLOUD_PROJECT and {key_variable} are set: Vertex AI with application default credentials is "
        'used. Pass `surface="ai_studio"` for the key, or `project=…` to say that this is meant.',
        GeminiCompatWarning,
        stacklevel=5,
    )

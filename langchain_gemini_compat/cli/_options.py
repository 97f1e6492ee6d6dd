"""Command-line options that select the model, the endpoint and the credential.

A key is never an argument, because shells save arguments in their history. The value of `--api-key-env` is the name of
the environment variable that contains the key.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, cast, get_args
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError
from typing_extensions import TypedDict

from langchain_gemini_compat._catalog.surfaces import Surface, recognise_surface
from langchain_gemini_compat._settings.connection import KEY_VARIABLES

if TYPE_CHECKING:
    import argparse

    import httpx2
    from typing_extensions import Unpack

    from langchain_gemini_compat import ChatGeminiCompat, Timeouts
    from langchain_gemini_compat._transport.tokens import TokenSource

DEFAULT_MODEL = "gemini-3.8-flash"
#: The key that is sent to a fake endpoint, so that no real key or token is sent.
PLACEHOLDER_KEY = "not-a-key"
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
SURFACE_NAMES = "vertex, ai_studio or openai_compatible"


class UsageError(Exception):
    """The arguments are invalid. The text says why, and does not repeat an argument that may be a secret."""


class ModelOptions(TypedDict, total=False):
    """Arguments of the chat model that a command sets in addition to the target."""

    timeout: float | Timeouts
    max_retries: int
    include_thoughts: bool | None
    stream_function_call_arguments: bool | None
    http_client: httpx2.Client


@dataclass(frozen=True, slots=True)
class Target:
    """The model, the endpoint and the credential from the command line.

    `None` means that the command line does not set the value.
    """

    model: str = DEFAULT_MODEL
    surface: Surface | None = None
    project: str | None = None
    location: str | None = None
    base_url: str | None = None
    api_key: SecretStr | None = None
    #: The source of `api_key`, as text for the user; empty if the command line sets no key.
    key_source: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine."""
        return self.base_url is not None and is_loopback(self.base_url)

    def build_tokens(self) -> TokenSource:
        """Return the token source that the chat model would use. This sends no request."""
        from langchain_gemini_compat._model.connection import open_transport
        from langchain_gemini_compat._settings.connection import resolve_connection
        from langchain_gemini_compat._transport.timeouts import resolve_timeouts

        connection = resolve_connection(
            model=self.model,
            surface=self.surface,
            project=self.project,
            location=self.location,
            endpoint_id=None,
            base_url=self.base_url,
            api_version="v1",
            api_key=self.api_key,
            credentials=None,
        )
        transport = open_transport(
            connection,
            credentials=None,
            quota_project_id=None,
            limits=resolve_timeouts(None),
            max_retries=0,
            headers={},
            query={},
            http_client=None,
            http_async_client=None,
        )
        return transport.tokens

    def build_model(self, **options: Unpack[ModelOptions]) -> ChatGeminiCompat:
        """Return the chat model; raise `UsageError` if an argument is invalid or if no endpoint is selected."""
        from langchain_gemini_compat import ChatGeminiCompat

        try:
            return ChatGeminiCompat(
                model=self.model,
                surface=self.surface,
                project=self.project,
                location=self.location,
                base_url=self.base_url,
                api_key=self.api_key,
                **options,
            )
        except ValueError as err:
            raise UsageError(_one_line(err)) from None


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `read_target` reads."""
    group = parser.add_argument_group("model and endpoint")
    group.add_argument("--model", default=DEFAULT_MODEL, help="default: %(default)s")
    group.add_argument(
        "--surface",
        choices=get_args(Surface),
        metavar="NAME",
        help=f"{SURFACE_NAMES}; default: derived from the other options",
    )
    group.add_argument("--project", metavar="ID", help="Google Cloud project; default: GOOGLE_CLOUD_PROJECT")
    group.add_argument("--location", metavar="NAME", help="default: GOOGLE_CLOUD_LOCATION, else global")
    group.add_argument("--base-url", metavar="URL", help="URL of a compatible server, without /chat/completions")
    group.add_argument("--api-key-env", metavar="NAME", help="name of the environment variable that contains the key")


def read_target(args: argparse.Namespace) -> Target:
    """Return the target from the parsed arguments `args`.

    Raises:
        UsageError: `--api-key-env` names a variable that is not set, or `--base-url` is not a URL.
    """
    options = cast("dict[str, str | None]", vars(args))
    surface, base_url = cast("Surface | None", options["surface"]), _check_url(options["base_url"])
    key_variable = options["api_key_env"]
    key = _read_key(key_variable)
    source = f"environment {key_variable}" if key else ""
    if key is None and _wants_placeholder(surface, base_url):
        key, source = SecretStr(PLACEHOLDER_KEY), "a placeholder, because the server is on this machine"
    return Target(
        model=options["model"] or DEFAULT_MODEL,
        surface=surface,
        project=options["project"],
        location=options["location"],
        base_url=base_url,
        api_key=key,
        key_source=source,
    )


def known_secrets(args: argparse.Namespace) -> list[str]:
    """Return the values that no output may contain: keys, and passwords in URLs."""
    options = cast("dict[str, str | None]", vars(args))
    keys = (os.environ.get(name, "") for name in (*KEY_VARIABLES, options.get("api_key_env") or ""))
    urls = (options.get("base_url") or "", *(os.environ.get(name, "") for name in PROXY_VARIABLES))
    found = [*keys, *map(_password_in, urls)]
    return [secret.strip() for secret in found if secret.strip()]


def is_loopback(url: str) -> bool:
    """Return whether the host of `url` is this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _check_url(url: str | None) -> str | None:
    if url is None:
        return None
    if not _is_http_url(url):
        # The value is not repeated, because it may contain a password.
        raise UsageError("--base-url is not a server URL. Write http:// or https://, a host and, if needed, a port.")
    return url


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        # The URL has an unclosed bracket or an invalid port.
        return False


def _password_in(url: str) -> str:
    """Return the password in `url`, even if the URL is invalid."""
    user, _, _ = url.partition("//")[2].rpartition("@")
    return user.partition(":")[2]


def _read_key(variable: str | None) -> SecretStr | None:
    if variable is None:
        return None
    value = os.environ.get(variable)
    if not value:
        raise UsageError(
            "--api-key-env names an environment variable that is not set. Give the name of the variable, not the key."
        )
    return SecretStr(value)


def _wants_placeholder(surface: Surface | None, base_url: str | None) -> bool:
    """Return whether `base_url` is probably a fake endpoint of this package.

    This is the case if the URL is on this machine, and the surface is Vertex AI or AI Studio.
    """
    if base_url is None or not is_loopback(base_url):
        return False
    found = surface or recognise_surface(
        base_url=base_url, has_vertex_arguments=False, has_api_key=False, has_project_in_environment=False
    )
    return found != "openai_compatible"


def _one_line(err: ValueError) -> str:
    """Return the message of `err` without the lines that pydantic adds."""
    if isinstance(err, ValidationError):
        return "; ".join(problem["msg"].removeprefix("Value error, ") for problem in err.errors(include_input=False))
    return str(err)

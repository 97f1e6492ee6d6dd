"""Arguments of the command line that say which model, where and as whom, to a chat model.

Its one rule: a key is never on the command line. `--api-key-env` names the variable that holds it.
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

    from langchain_gemini_compat import ChatGeminiCompat
    from langchain_gemini_compat._transport.tokens import TokenSource

DEFAULT_MODEL = "gemini-3.8-flash"
#: What goes to a fake endpoint, so that a real key or token of the environment never does.
PLACEHOLDER_KEY = "not-a-key"
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


class UsageError(Exception):
    """The command line makes no sense; the text says why and repeats no argument that could be a secret."""


class ModelOptions(TypedDict, total=False):
    """What a command sets on the chat model beside its target."""

    timeout: float
    max_retries: int
    include_thoughts: bool | None
    stream_function_call_arguments: bool | None
    http_client: httpx2.Client


@dataclass(frozen=True, slots=True)
class Target:
    """Which model, where and as whom, as far as the command line says it."""

    model: str = DEFAULT_MODEL
    surface: Surface | None = None
    project: str | None = None
    location: str | None = None
    base_url: str | None = None
    api_key: SecretStr | None = None
    #: Where the key came from, in the words of the command line; empty for what the environment gives by itself.
    key_source: str = ""

    @property
    def is_local(self) -> bool:
        """Whether this very machine answers."""
        return self.base_url is not None and is_loopback(self.base_url)

    def build_tokens(self) -> TokenSource:
        """What the chat model would ask for tokens; nothing is asked yet."""
        from langchain_gemini_compat._connection import open_transport
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
        """The chat model; raises `UsageError` where arguments and environment name no endpoint."""
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
    """The options that `read_target` reads."""
    group = parser.add_argument_group("where")
    group.add_argument("--model", default=DEFAULT_MODEL, help="default: %(default)s")
    group.add_argument("--surface", choices=get_args(Surface), help="default: what the other options mean")
    group.add_argument("--project", metavar="ID", help="Google Cloud project; else GOOGLE_CLOUD_PROJECT")
    group.add_argument("--location", metavar="PLACE", help="else GOOGLE_CLOUD_LOCATION, else global")
    group.add_argument("--base-url", metavar="URL", help="a compatible server, up to /chat/completions")
    group.add_argument("--api-key-env", metavar="NAME", help="the variable that holds the key, never the key itself")


def read_target(args: argparse.Namespace) -> Target:
    """The target that `args` name.

    Raises `UsageError` when `--api-key-env` names no variable that is set, or `--base-url` is no URL.
    """
    options = cast("dict[str, str | None]", vars(args))
    surface, base_url = cast("Surface | None", options["surface"]), _check_url(options["base_url"])
    key_variable = options["api_key_env"]
    key = _read_key(key_variable)
    source = f"environment {key_variable}" if key else ""
    if key is None and _wants_placeholder(surface, base_url):
        key, source = SecretStr(PLACEHOLDER_KEY), "a placeholder, as the server is on this machine"
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
    """Values that no output may hold: keys, and passwords inside URLs."""
    options = cast("dict[str, str | None]", vars(args))
    keys = (os.environ.get(name, "") for name in (*KEY_VARIABLES, options.get("api_key_env") or ""))
    urls = (options.get("base_url") or "", *(os.environ.get(name, "") for name in PROXY_VARIABLES))
    found = [*keys, *map(_password_in, urls)]
    return [secret.strip() for secret in found if secret.strip()]


def is_loopback(url: str) -> bool:
    """Whether `url` names this very machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _check_url(url: str | None) -> str | None:
    if url is None:
        return None
    if not _is_http_url(url):
        # What was typed may hold a password, and is not repeated.
        raise UsageError("--base-url is no address of a server: http:// or https://, a host, and perhaps a port.")
    return url


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        # A bracket that stays open, or a port that is none.
        return False


def _password_in(url: str) -> str:
    """The password in `url`, however broken the rest of it is."""
    user, _, _ = url.partition("//")[2].rpartition("@")
    return user.partition(":")[2]


def _read_key(variable: str | None) -> SecretStr | None:
    if variable is None:
        return None
    value = os.environ.get(variable)
    if not value:
        raise UsageError(
            "--api-key-env names no environment variable that is set. Give the name of the variable, not the key."
        )
    return SecretStr(value)


def _wants_placeholder(surface: Surface | None, base_url: str | None) -> bool:
    """Google's paths on this machine are a fake endpoint: nobody's credentials are looked up for it."""
    if base_url is None or not is_loopback(base_url):
        return False
    found = surface or recognise_surface(
        base_url=base_url, has_vertex_arguments=False, has_api_key=False, has_project_in_environment=False
    )
    return found != "openai_compatible"


def _one_line(err: ValueError) -> str:
    """The sentence of ours that pydantic wraps in several lines of its own."""
    if isinstance(err, ValidationError):
        return "; ".join(problem["msg"].removeprefix("Value error, ") for problem in err.errors(include_input=False))
    return str(err)

"""Checks the caller's headers, query and clients when a model is constructed.

The HTTP library would report an invalid value only at the first call, and would quote the value. This module does not
import the HTTP library.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Matches a valid header name: a token of RFC 9110, section 5.6.2.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LIBRARIES = ("httpx", "httpx2")


def clean_headers(given: object) -> dict[str, str] | None:
    """Return the headers with their values as text, without surrounding white space.

    White space is removed because a key from a file often ends with a line break. Raises `ValueError` for characters
    that are not allowed in HTTP headers. The message never contains a value.

    >>> clean_headers({"x-team": "blue", "x-number": 5})
    {'x-team': 'blue', 'x-number': '5'}
    """
    if given is None:
        return None
    headers: dict[str, str] = {}
    for name, value in _read_pairs("default_headers", given):
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ValueError("`default_headers` has an invalid header name. Use letters, digits and `-`.")
        text = _read_text(value, f"`default_headers` has a {type(value).__name__} for {name!r}").strip()
        if not text.isascii() or not text.replace("\t", " ").isprintable():
            raise ValueError(
                f"The value of {name!r} in `default_headers` has a line break or a character that is not ASCII, which "
                "is not allowed in HTTP headers. Copy it again, or encode it."
            )
        headers[name] = text
    return headers


def clean_query(given: object) -> dict[str, str] | None:
    """Return the query parameters with their values as text, in the form that the HTTP library sends.

    Raises `ValueError` for control characters, and for values that are not text or numbers. The message never contains
    a value.

    >>> clean_query({"api-version": 2, "debug": True})
    {'api-version': '2', 'debug': 'true'}
    """
    if given is None:
        return None
    query: dict[str, str] = {}
    for key, value in _read_pairs("default_query", given):
        name = _read_text(key, f"`default_query` has a {type(key).__name__} as a name")
        text = str(value).lower() if isinstance(value, bool) else value
        query[name] = _read_text(text, f"`default_query` has a {type(value).__name__} for {name!r}")
        if _CONTROL.search(name) or _CONTROL.search(query[name]):
            raise ValueError("`default_query` has a control character, such as a line break. Remove it.")
    return query


def check_client(argument: str, client: object, library: str, *, is_async: bool) -> None:
    """Raise `ValueError` unless `client` is a sync client of `library`, or an async client if `is_async` is true."""
    wanted = f"{library}.{'AsyncClient' if is_async else 'Client'}"
    kinds = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(client).__mro__}
    found = kinds & {f"{one}.{name}" for one in _LIBRARIES for name in ("Client", "AsyncClient")}
    if wanted in found or (not found and _acts_like_a_client(client, is_async=is_async)):
        return
    other = "http_client" if is_async else "http_async_client"
    if found and f"{library}.{'Client' if is_async else 'AsyncClient'}" in found:
        raise ValueError(
            f"`{argument}` is {_with_article(min(found))}. Pass it as `{other}`. `{argument}` has to be "
            f"{_with_article(wanted)}."
        )
    if found:
        raise ValueError(
            f"`{argument}` is {_with_article(min(found))}, and the installed openai SDK uses {library}. Pass "
            f"{_with_article(wanted)}."
        )
    kind = f"the class {client.__name__}" if isinstance(client, type) else f"a {type(client).__name__}"
    raise ValueError(f"`{argument}` is {kind}. Pass {_with_article(wanted)}.")


def _with_article(name: str) -> str:
    return f"an `{name}`" if name.startswith("h") else f"a `{name}`"


def _acts_like_a_client(client: object, *, is_async: bool) -> bool:
    """Return whether `client` has `build_request`, and a `send` that is async exactly if `is_async` is true.

    A test double may have only these two methods.
    """
    build, send = getattr(client, "build_request", None), getattr(client, "send", None)
    if isinstance(client, type) or not callable(build) or not callable(send):
        return False
    return inspect.iscoroutinefunction(send) is is_async


def _read_pairs(argument: str, given: object) -> Iterator[tuple[object, object]]:
    pairs = cast("Mapping[object, object]", given).items() if isinstance(given, Mapping) else None
    if pairs is None:
        raise ValueError(f"`{argument}` is a {type(given).__name__} and not a dict. Pass a dict.")
    yield from pairs


def _read_text(value: object, what: str) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{what}. Pass a string.")

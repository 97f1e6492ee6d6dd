"""Which HTTP library is under the SDK: httpx2 since openai 3, httpx before."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

import openai

if TYPE_CHECKING:
    import httpx2


def response_type() -> type[httpx2.Response]:
    """The response class of that library: asking the SDK for it gives the body unparsed."""
    return cast("type[httpx2.Response]", import_module(library_name()).Response)


def library_name() -> str:
    """The library's name, to import it by."""
    return "httpx" if openai.VERSION.startswith(("1.", "2.")) else "httpx2"

"""Which HTTP library is under the SDK: httpx2 since openai 3, httpx before."""

from __future__ import annotations

import openai


def library_name() -> str:
    """The library's name, to import it by."""
    return "httpx" if openai.VERSION.startswith(("1.", "2.")) else "httpx2"

"""Returns the headers of a response that may be kept on a message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._transport.redaction import hide_in_value

if TYPE_CHECKING:
    import httpx2

#: Matches names of headers that may contain a cookie or a credential. It does not match
#: `x-ratelimit-remaining-tokens`, which is harmless.
_SECRET = re.compile(
    r"cookie|authori[sz]|authentic|credential|secret|passw|bearer|api-?key|jwt|oidc|sess-?id"
    r"|(^|[-_])(auth|csrf|key|session|session-?id|sid|signature|token|xsrf)$"
)


def read_headers(response: httpx2.Response) -> dict[str, str]:
    """Return the headers of `response` by their names in lower case, without cookies and credentials.

    If a server repeats a secret of the request in a header, the secret is replaced.
    """
    kept = {name: value for name, value in response.headers.items() if not _SECRET.search(name.lower())}
    return cast("dict[str, str]", hide_in_value(response.request, {**kept}))

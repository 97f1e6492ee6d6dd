"""google-auth's requests over the HTTP client of the openai SDK.

google-auth's own ways need `requests` or `urllib3`, and write the secrets that they send into the log at debug level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import openai
from google.auth.exceptions import TransportError
from google.auth.transport import Request, Response

from langchain_gemini_compat._translate import is_http_error, open_client

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2


class TokenRequest(Request):
    """Requests of google-auth, synchronous; raises its `TransportError` where no answer comes.

    `answer` is the last one that came: what google-auth raises for it does not always tell.
    """

    def __init__(self) -> None:
        self.answer: TokenResponse | None = None

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = 120,
        **_: object,
    ) -> Response:
        """Ask `url`; a secret goes there and nowhere else, so redirects are not followed."""
        self.answer = None
        with open_client(lambda: openai.DefaultHttpxClient(timeout=timeout, follow_redirects=False)) as client:
            try:
                self.answer = TokenResponse(client.request(method, url, content=body, headers=headers))
            except Exception as err:
                if not is_http_error(err):
                    raise
                raise TransportError(f"{type(err).__name__}: {err}") from None
        return self.answer


class TokenResponse(Response):
    """What google-auth reads of an answer."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, by names in any case."""
        return cast("Mapping[str, str]", self._response.headers)

    @property
    def data(self) -> bytes:
        """The body."""
        return self._response.content

"""A log of HTTP requests, and the table that `demo` prints from the log.

The log records requests as the HTTP client sends them, so the table shows retries and lost signatures.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from langchain_gemini_compat._signatures import PLACEHOLDER_SIGNATURE, SIGNATURES_KEY, read_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import httpx2
    from langchain_core.messages import AIMessage

    from langchain_gemini_compat._wire.json_types import WireMessage

COLUMNS = ("", "answer", "signatures sent back", "signatures received", "in", "out", "thoughts")
_SECONDS = 60.0
_OK = 200
#: After this status, the chat model fetches a new token and repeats the request. The repetition is not a retry.
_UNAUTHENTICATED = 401
#: The table shortens ids and signatures with more characters. AI Studio's call ids have 14: `call_` and nine digits.
_SHORT = 14


class _ClientFactory(Protocol):
    """The class `Client` of httpx or httpx2."""

    def __call__(
        self, *, timeout: float, trust_env: bool, event_hooks: Mapping[str, Sequence[Callable[..., None]]]
    ) -> httpx2.Client: ...


@dataclass(slots=True)
class Exchange:
    """One request and its answer. `sent` maps the id of each signed tool call in the request to its signature."""

    number: int
    sent: dict[str, str]
    #: The HTTP status; 0 if there is no answer.
    status: int = 0

    @property
    def succeeded(self) -> bool:
        """Whether the server answered with status 200, which means that it accepted the signatures of the request."""
        return self.status == _OK


class WireLog:
    """All exchanges of a client, in order."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def open_client(self, *, trust_env: bool = True) -> httpx2.Client:
        """Return a client whose requests are recorded. With `trust_env`, the client uses the environment's proxies."""
        from langchain_gemini_compat._lazy import library_name

        factory = cast("_ClientFactory", import_module(library_name()).Client)
        return factory(
            timeout=_SECONDS,
            trust_env=trust_env,
            event_hooks={"request": [self._note_request], "response": [self._note_response]},
        )

    @property
    def verified(self) -> bool:
        """Whether a server has accepted a request with signatures."""
        return any(exchange.succeeded and exchange.sent for exchange in self.exchanges)

    @property
    def placeholders(self) -> int:
        """Number of placeholder signatures that were sent."""
        sent = (signature for exchange in self.exchanges for signature in exchange.sent.values())
        return sum(signature == PLACEHOLDER_SIGNATURE for signature in sent)

    def rows(self, replies: Sequence[AIMessage]) -> Iterator[tuple[str, ...]]:
        """Yield one table row for each exchange. `replies` are the messages that the model returned, in order."""
        origins: dict[tuple[str, str], int] = {}
        for exchange, reply in zip(self.exchanges, self._match(replies), strict=True):
            back = [_describe_sent(call_id, signature, origins) for call_id, signature in exchange.sent.items()]
            came = _read_signatures(reply)
            origins |= dict.fromkeys(came.items(), exchange.number)
            yield (
                f"#{exchange.number}",
                _describe_outcome(exchange, used=reply is not None, last=exchange is self.exchanges[-1]),
                "\n".join(back) or "-",
                "\n".join(_describe_calls(reply, came)) or "-",
                *_count(reply),
            )

    def retries(self, replies: Sequence[AIMessage]) -> int:
        """Return the number of requests that were sent again."""
        return sum(reply is None for reply in list(self._match(replies))[:-1])

    def _match(self, replies: Sequence[AIMessage]) -> Iterator[AIMessage | None]:
        """Yield the message of each exchange; `None` if the exchange failed or its reply was discarded."""
        waiting, discarded = iter(replies), 0
        reply = next(waiting, None)
        for exchange in self.exchanges:
            if reply is None or not exchange.succeeded or discarded < _count_retries(reply):
                # A request that got a 401 is not counted, because the number of retries in the message does not include
                # it.
                discarded += exchange.status != _UNAUTHENTICATED
                yield None
                continue
            yield reply
            reply, discarded = next(waiting, None), 0

    def _note_request(self, request: httpx2.Request) -> None:
        messages = cast("list[WireMessage]", json.loads(request.content).get("messages") or [])
        sent = {call_id: signature for message in messages for call_id, signature in _sent_signatures(message)}
        self.exchanges.append(Exchange(len(self.exchanges) + 1, sent))

    def _note_response(self, response: httpx2.Response) -> None:
        self.exchanges[-1].status = response.status_code


def shorten(text: str) -> str:
    """Return the start and the end of a long `text`.

    >>> shorten("abcdefghijklmnopqrstuvwxyz")
    'abcd…uvwxyz'
    """
    return text if len(text) <= _SHORT else f"{text[:4]}…{text[-6:]}"


def _sent_signatures(message: WireMessage) -> Iterator[tuple[str, str]]:
    for call in message.get("tool_calls") or ():
        signature = read_signature(call.get("extra_content"))
        if signature:
            yield call.get("id") or "", signature


def _read_signatures(reply: AIMessage | None) -> dict[str, str]:
    held = reply.additional_kwargs.get(SIGNATURES_KEY) if reply else None
    return dict(cast("dict[str, str]", held or {}))


def _describe_outcome(exchange: Exchange, *, used: bool, last: bool) -> str:
    """Return the HTTP status, or `no answer`, and what happened to the request.

    `verified` means that the server accepted the signatures in the request. After a failure or a discarded reply,
    `retried` means that the request was sent again, and `refused` means that it was not sent again.
    """
    if exchange.succeeded and (used or last):
        return f"{exchange.status} verified" if exchange.sent else f"{exchange.status}"
    if not exchange.status:
        return "no answer" if last else "no answer, retried"
    return f"{exchange.status} refused" if last else f"{exchange.status} retried"


def _count_retries(reply: AIMessage) -> int:
    retries = reply.response_metadata.get("retries", 0)
    return retries if isinstance(retries, int) else 0


def _describe_sent(call_id: str, signature: str, origins: Mapping[tuple[str, str], int]) -> str:
    if signature == PLACEHOLDER_SIGNATURE:
        return f"{shorten(call_id)} placeholder"
    number = origins.get((call_id, signature))
    source = f"from #{number}" if number else "of unknown origin"
    return f"{shorten(call_id)} {shorten(signature)} {source}"


def _describe_calls(reply: AIMessage | None, came: Mapping[str, str]) -> Iterator[str]:
    for call in reply.tool_calls if reply else ():
        call_id = call["id"] or ""
        signature = came.get(call_id)
        yield f"{shorten(call_id)} {shorten(signature) if signature else '(unsigned)'}"


def _count(reply: AIMessage | None) -> tuple[str, str, str]:
    usage = reply.usage_metadata if reply else None
    if usage is None:
        return "-", "-", "-"
    thoughts = (usage.get("output_token_details") or {}).get("reasoning", 0)
    return str(usage["input_tokens"]), str(usage["output_tokens"]), str(thoughts)

"""What really went over the wire: an HTTP client that keeps notes, and the table made of them.

Its one rule: requests are read as they leave, not as they were meant, so a retry or a lost signature shows.
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
#: A try with a new token after this is not counted as a retry.
_UNAUTHENTICATED = 401
#: `call_` and nine digits, AI Studio's ids, fit.
_SHORT = 14


class _ClientFactory(Protocol):
    """The `Client` of httpx and of httpx2."""

    def __call__(
        self, *, timeout: float, trust_env: bool, event_hooks: Mapping[str, Sequence[Callable[..., None]]]
    ) -> httpx2.Client: ...


@dataclass(slots=True)
class Exchange:
    """One request and its answer; `sent` holds signatures by call id."""

    number: int
    sent: dict[str, str]
    #: 0 while there is no answer.
    status: int = 0

    @property
    def succeeded(self) -> bool:
        """The server took the request, and with it the signatures."""
        return self.status == _OK


class WireLog:
    """Every exchange of the client it makes, in order."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def open_client(self, *, trust_env: bool = True) -> httpx2.Client:
        """A client that keeps notes here; without `trust_env` no proxy of the environment stands in its way."""
        from langchain_gemini_compat._lazy import library_name

        factory = cast("_ClientFactory", import_module(library_name()).Client)
        return factory(
            timeout=_SECONDS,
            trust_env=trust_env,
            event_hooks={"request": [self._note_request], "response": [self._note_response]},
        )

    @property
    def verified(self) -> bool:
        """Whether a server looked at signatures and was content."""
        return any(exchange.succeeded and exchange.sent for exchange in self.exchanges)

    @property
    def stand_ins(self) -> int:
        """Signatures that went out and are none."""
        sent = (signature for exchange in self.exchanges for signature in exchange.sent.values())
        return sum(signature == PLACEHOLDER_SIGNATURE for signature in sent)

    def rows(self, replies: Sequence[AIMessage]) -> Iterator[tuple[str, ...]]:
        """One row for each exchange; `replies` are the messages that the answered ones became, in order."""
        origins: dict[tuple[str, str], int] = {}
        for exchange, reply in zip(self.exchanges, self._match(replies), strict=True):
            back = [_say_sent(call_id, signature, origins) for call_id, signature in exchange.sent.items()]
            came = _read_signatures(reply)
            origins |= dict.fromkeys(came.items(), exchange.number)
            yield (
                f"#{exchange.number}",
                _say_verdict(exchange, used=reply is not None, last=exchange is self.exchanges[-1]),
                "\n".join(back) or "-",
                "\n".join(_say_calls(reply, came)) or "-",
                *_count(reply),
            )

    def retries(self, replies: Sequence[AIMessage]) -> int:
        """Requests that had to be sent again."""
        return sum(reply is None for reply in list(self._match(replies))[:-1])

    def _match(self, replies: Sequence[AIMessage]) -> Iterator[AIMessage | None]:
        """For each exchange what became of it: `None` where it failed, or gave nothing to use and was sent anew."""
        waiting, thrown_away = iter(replies), 0
        reply = next(waiting, None)
        for exchange in self.exchanges:
            if reply is None or not exchange.succeeded or thrown_away < _unusable_before(reply):
                # A message counts all tries before it; those that failed show by their status too.
                thrown_away += exchange.status != _UNAUTHENTICATED
                yield None
                continue
            yield reply
            reply, thrown_away = next(waiting, None), 0

    def _note_request(self, request: httpx2.Request) -> None:
        messages = cast("list[WireMessage]", json.loads(request.content).get("messages") or [])
        sent = {call_id: signature for message in messages for call_id, signature in _sent_signatures(message)}
        self.exchanges.append(Exchange(len(self.exchanges) + 1, sent))

    def _note_response(self, response: httpx2.Response) -> None:
        self.exchanges[-1].status = response.status_code


def shorten(text: str) -> str:
    """Both ends of `text`.

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


def _say_verdict(exchange: Exchange, *, used: bool, last: bool) -> str:
    """The server looked at the signatures of a request that it answered; one that failed was sent anew."""
    if exchange.succeeded and (used or last):
        return f"{exchange.status} verified" if exchange.sent else f"{exchange.status}"
    if not exchange.status:
        return "no answer" if last else "no answer, sent anew"
    return f"{exchange.status} refused" if last else f"{exchange.status} sent anew"


def _unusable_before(reply: AIMessage) -> int:
    retries = reply.response_metadata.get("retries", 0)
    return retries if isinstance(retries, int) else 0


def _say_sent(call_id: str, signature: str, origins: Mapping[tuple[str, str], int]) -> str:
    if signature == PLACEHOLDER_SIGNATURE:
        return f"{shorten(call_id)} a stand-in"
    number = origins.get((call_id, signature))
    source = f"from #{number}" if number else "from nowhere"
    return f"{shorten(call_id)} {shorten(signature)} {source}"


def _say_calls(reply: AIMessage | None, came: Mapping[str, str]) -> Iterator[str]:
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

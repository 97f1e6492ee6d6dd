"""Estimates what a run costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from langchain_core.messages.ai import UsageMetadata

    from langchain_gemini_compat._catalog.surfaces import Surface
    from langchain_gemini_compat.cli._verify.probe import Probe


@dataclass(frozen=True, slots=True)
class Estimate:
    """The number of requests and the price of a run of `verify`.

    Attributes:
        requests: The number of requests, without retries.
        price: The price in US dollars; `None` if it is not known.
        reason: If the price is not known, the cause. If it is known, where the price comes from.
    """

    requests: int
    price: Decimal | None
    reason: str

    def describe(self) -> str:
        """Return one sentence for the user."""
        if self.price is None:
            return f"The price is not known: {self.reason}."
        return f"Estimated price: {self.price:.3f} USD ({self.reason})."


def estimate_cost(probes: Sequence[Probe], model: str, surface: Surface, *, is_local: bool) -> Estimate:
    """Return the estimate for `probes`.

    A fake endpoint on this machine costs nothing. The price of a compatible server is not known: even a gateway on this
    machine can pass the requests on to a service that costs money.
    """
    requests = sum(probe.spend.requests for probe in probes)
    if surface == "openai_compatible":
        return _estimate_gateway(probes, model, requests)
    if is_local:
        return Estimate(requests, Decimal(0), "the server is on this machine")
    return _estimate_google(probes, model, requests)


def _estimate_gateway(probes: Sequence[Probe], model: str, requests: int) -> Estimate:
    reason = "a compatible server has its own prices"
    google = _estimate_google(probes, model, requests)
    if google.price is not None:
        reason += f", and Google would charge {google.price:.3f} USD ({google.reason})"
    return Estimate(requests, None, reason)


def _estimate_google(probes: Sequence[Probe], model: str, requests: int) -> Estimate:
    from langchain_gemini_compat.price import prices_version

    try:
        source = f"genai-prices {prices_version()}"
    except ImportError:
        return Estimate(requests, None, "run `pip install genai-prices` to estimate it")
    total = Decimal(0)
    for probe in probes:
        price = _price_of(probe, probe.model or model)
        if price is None:
            return Estimate(requests, None, f"{source} has no price for {probe.model or model}")
        total += price
    return Estimate(requests, total, source)


def _price_of(probe: Probe, model: str) -> Decimal | None:
    from langchain_gemini_compat.price import estimate_price

    spend = probe.spend
    if not spend.input_tokens and not spend.output_tokens:
        return Decimal(0)
    usage = {
        "input_tokens": spend.input_tokens,
        "output_tokens": spend.output_tokens,
        "total_tokens": spend.input_tokens + spend.output_tokens,
        # The type `UsageMetadata` has no key for image tokens, so the dictionary is cast.
        "output_token_details": {"image": spend.image_tokens},
    }
    price = estimate_price(cast("UsageMetadata", usage), model)
    return None if price is None else price * spend.requests

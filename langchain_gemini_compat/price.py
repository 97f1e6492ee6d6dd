"""Estimates the price of calls in US dollars, from their token counts and the price list of `genai-prices`.

This module needs the extra `price`. The prices are Google's list prices for paid tiers. They are part of the installed
package `genai-prices`, so nothing is downloaded. `prices_version` returns the version of that package.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tracers.context import register_configure_hook

from langchain_gemini_compat._catalog.models import bare_model_name, family_of

if TYPE_CHECKING:
    from types import ModuleType

    from genai_prices import Usage

__all__ = ["PriceCallbackHandler", "estimate_price", "get_price_callback", "prices_version"]

_PACKAGE = "genai-prices"
#: The handler of the current `get_price_callback` block. It is one global variable, because LangChain never removes a
#: registered variable: a new variable for each block would be a memory leak.
_current: ContextVar[PriceCallbackHandler | None] = ContextVar("gemini_compat_price_callback", default=None)
register_configure_hook(_current, inheritable=True)


def estimate_price(usage: UsageMetadata, model: str) -> Decimal | None:
    """Return the price of one call in US dollars.

    Cached input has its own lower price, thoughts cost as much as output, and audio has its own price if Google lists
    one. Storage of a context cache, Google's own tools, discounts and service tiers are not included. For models that
    write images, `usage` must contain the number of image tokens, because image tokens have a much higher price.

    Args:
        usage: Token counts of one call. Some prices depend on the length of the prompt, so do not pass a sum of calls.
        model: Name of the model that answered, with or without `google/` or `models/`.

    Returns:
        The price, or `None` if the price is not known.

    Raises:
        ImportError: If `genai-prices` is not installed.

    Examples:
        ```python
        estimate_price(message.usage_metadata, message.response_metadata["model_name"])
        ```
    """
    prices = _import_genai_prices()
    name = bare_model_name(model)
    if family_of(name).image_output and not _image_tokens(usage):
        return None
    try:
        found = prices.calc_price(_convert_usage(usage), name, provider_id="google")
    except (LookupError, ValueError):
        # A `LookupError` means an unknown model. A `ValueError` means that the token counts contradict each other.
        return None
    # The price list says 0 for models with open weights, such as Gemma. They are free only on AI Studio, and this
    # function does not know the surface. So their price counts as unknown.
    price: Decimal = found.total_price
    return price or None


def prices_version() -> str:
    """Return the version of the price list, which is the version of `genai-prices`.

    Raises:
        ImportError: If `genai-prices` is not installed.
    """
    _import_genai_prices()
    return version(_PACKAGE)


class PriceCallbackHandler(UsageMetadataCallbackHandler):
    """Callback handler that adds the token counts and the estimated prices of all calls, for each model.

    An answer from LangChain's cache has no price, but its tokens are counted, as in `UsageMetadataCallbackHandler`.

    Attributes:
        usage_metadata: Token counts by the name of the model, as in `UsageMetadataCallbackHandler`.
        prices: Estimated prices in US dollars by the name of the model. Models without a known price are left out.
        unpriced_calls: Number of calls without a known price, by the name of the model.

    Raises:
        ImportError: At construction, if `genai-prices` is not installed.

    Examples:
        ```python
        prices = PriceCallbackHandler()
        model.invoke("Hello", config={"callbacks": [prices]})
        print(prices.total_price)
        ```
    """

    def __init__(self) -> None:
        super().__init__()
        _import_genai_prices()
        self._price_lock = threading.Lock()
        self.prices: dict[str, Decimal] = {}
        self.unpriced_calls: dict[str, int] = {}

    @property
    def total_price(self) -> Decimal | None:
        """Estimated price of all calls in US dollars, or `None` if the price of at least one call is not known."""
        return None if self.unpriced_calls else sum(self.prices.values(), Decimal(0))

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        """Add the tokens and the price of a finished call to the totals."""
        super().on_llm_end(response, **kwargs)
        message = _message_of(response)
        if message is None:
            return
        model, usage = str(message.response_metadata.get("model_name") or ""), message.usage_metadata
        if usage and usage.get("total_cost") == 0:
            # LangChain sets `total_cost` to 0 for an answer from its cache. No request was sent, so there is no price.
            return
        price = estimate_price(usage, model) if usage else None
        with self._price_lock:
            if price is None:
                self.unpriced_calls[model] = self.unpriced_calls.get(model, 0) + 1
            else:
                self.prices[model] = self.prices.get(model, Decimal(0)) + price


@contextmanager
def get_price_callback() -> Generator[PriceCallbackHandler]:
    """Estimate the price of all calls in a `with` block. It works like LangChain's `get_usage_metadata_callback`.

    Yields:
        The handler.

    Raises:
        ImportError: If `genai-prices` is not installed.

    Examples:
        ```python
        with get_price_callback() as prices:
            agent.invoke({"messages": "Hello"})
        print(prices.total_price)
        ```
    """
    handler = PriceCallbackHandler()
    token = _current.set(handler)
    try:
        yield handler
    finally:
        _current.reset(token)


def _import_genai_prices() -> ModuleType:
    try:
        import genai_prices
    except ModuleNotFoundError as err:
        raise ImportError(
            "Prices need the package genai-prices, which is not installed. Run `pip install genai-prices`."
        ) from err
    return genai_prices


def _convert_usage(usage: UsageMetadata) -> Usage:
    """Convert LangChain's token counts to the class `Usage` of `genai-prices`."""
    from genai_prices import Usage

    given, written = usage.get("input_token_details", {}), usage.get("output_token_details", {})
    total, cached, audio = usage["input_tokens"], given.get("cache_read", 0), given.get("audio", 0)
    counts: dict[str, int] = {
        "input_tokens": total,
        "cache_read_tokens": cached,
        "input_audio_tokens": audio,
        # Servers do not say how many of the cached tokens are audio. Assume the minimum: audio counts as cached only as
        # far as the cached tokens exceed all other input tokens.
        "cache_audio_read_tokens": max(0, cached + audio - total),
        "output_tokens": usage["output_tokens"],
        "output_audio_tokens": written.get("audio", 0),
        "output_image_tokens": _image_tokens(usage),
    }
    return Usage(**{name: count for name, count in counts.items() if count})


def _image_tokens(usage: UsageMetadata) -> int:
    """Return the number of output tokens for images. The key `image` is missing in LangChain's type."""
    details: Mapping[str, object] = usage.get("output_token_details", {})
    count = details.get("image")
    return count if isinstance(count, int) else 0


def _message_of(response: LLMResult) -> AIMessage | None:
    """Return the first message of a result. Its token counts are those of the whole reply."""
    generation = next((one for group in response.generations for one in group), None)
    message = generation.message if isinstance(generation, ChatGeneration) else None
    return message if isinstance(message, AIMessage) else None

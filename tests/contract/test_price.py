"""Estimated prices: with the price list of `genai-prices`, and without the package."""

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from importlib.metadata import version

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from wire import Wire, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.price import PriceCallbackHandler, estimate_price, get_price_callback, prices_version
from langchain_gemini_compat.testing import FakeGemini, Reply, Usage

#: A million tokens of Gemini 2.5 Flash cost: input $0.30, cached input $0.03, audio input $1, and output $2.50.
FLASH = "gemini-2.5-flash"
USAGE = {"input_tokens": 1_000_000, "output_tokens": 100_000, "total_tokens": 1_100_000}


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        pytest.param({}, "0.55", id="text"),
        pytest.param({"input_token_details": {"cache_read": 500_000}}, "0.415", id="cached"),
        pytest.param({"output_token_details": {"reasoning": 90_000}}, "0.55", id="thoughts are output"),
        pytest.param({"input_token_details": {"audio": 1_000_000}}, "1.25", id="audio"),
        pytest.param({"input_token_details": {"text": 10, "image": 258}}, "0.55", id="images have the price of text"),
    ],
)
@pytest.mark.parametrize("name", [FLASH, f"google/{FLASH}", f"models/{FLASH}"])
def test_price_follows_the_list(name, details, expected):
    assert estimate_price({**USAGE, **details}, name) == Decimal(expected)


def test_cached_audio_has_a_price():
    """The usage has audio tokens and cached tokens, but not the number of cached audio tokens.

    `genai-prices` computes no price without this number. `estimate_price` returns a price nevertheless.
    """
    details = {"input_token_details": {"audio": 600_000, "cache_read": 500_000}}
    assert Decimal("0.55") < estimate_price({**USAGE, **details}, FLASH) < Decimal("1.25")


def test_long_prompt_has_its_own_price():
    """The price of Gemini 2.5 Pro doubles above 200,000 tokens."""
    short = estimate_price({"input_tokens": 200_000, "output_tokens": 0, "total_tokens": 200_000}, "gemini-2.5-pro")
    long = estimate_price({"input_tokens": 400_000, "output_tokens": 0, "total_tokens": 400_000}, "gemini-2.5-pro")
    assert long > 2 * short > 0


@pytest.mark.parametrize("name", ["gemini-99", "gemma-3-27b-it", "gpt-4o", "", "my-tuned-model"])
def test_unknown_price_is_none_and_never_zero(name):
    assert estimate_price(USAGE, name) is None


def test_counts_that_contradict_each_other_have_no_price():
    assert estimate_price({**USAGE, "input_token_details": {"cache_read": 2_000_000}}, FLASH) is None


def test_image_model_needs_the_tokens_of_images():
    """The price of an image's tokens is ten times the price of text."""
    name = "gemini-2.5-flash-image"
    assert estimate_price(USAGE, name) is None
    image = estimate_price({**USAGE, "output_token_details": {"image": 100_000}}, name)
    assert image == Decimal("3.3")


def fake(usage=None):
    return FakeGemini(Reply("Oslo.", usage=usage or Usage(prompt=1000, completion=60, thoughts=40, cached=500)))


async def test_handler_adds_the_prices_of_all_calls():
    prices = PriceCallbackHandler()
    model = fake().chat_model(FLASH, callbacks=[prices])
    model.invoke("hi")
    await model.ainvoke("hi")
    list(model.stream("hi"))
    _ = [part async for part in model.astream("hi")]
    assert model.stream_events("hi", version="v3").output
    one = Decimal("0.000415")
    assert prices.prices == {FLASH: 5 * one}
    assert prices.total_price == 5 * one
    assert prices.usage_metadata[FLASH]["total_tokens"] == 5 * 1100
    assert prices.unpriced_calls == {}
    assert isinstance(prices, UsageMetadataCallbackHandler)


def test_each_call_has_the_price_of_its_own_length():
    prices = PriceCallbackHandler()
    model = fake(Usage(prompt=150_000, completion=1)).chat_model("gemini-2.5-pro", callbacks=[prices])
    model.invoke("hi")
    model.invoke("hi")
    usage = {"input_tokens": 150_000, "output_tokens": 1, "total_tokens": 150_001}
    assert prices.total_price == 2 * estimate_price(usage, "gemini-2.5-pro")


def test_total_is_unknown_if_one_price_is_unknown():
    prices = PriceCallbackHandler()
    assert prices.total_price == 0
    fake().chat_model(FLASH, callbacks=[prices]).invoke("hi")
    answer = {key: value for key, value in completion().items() if key != "usage"}
    without = ChatGeminiCompat(model=FLASH, api_key="k", callbacks=[prices], **Wire(answer).clients)
    without.invoke("hi")
    GenericFakeChatModel(messages=iter([AIMessage("a")]), callbacks=[prices]).invoke("hi")
    assert prices.total_price is None
    assert prices.unpriced_calls == {"gemini-3.8-flash": 1, "": 1}
    assert [*prices.prices] == [FLASH]


def test_context_manager_prices_the_calls_inside():
    model = fake().chat_model(FLASH)
    model.invoke("hi")
    with get_price_callback() as outer:
        model.batch(["hi"] * 3)
        with get_price_callback() as inner:
            model.invoke("hi")
    model.invoke("hi")
    assert (outer.total_price, inner.total_price) == (3 * Decimal("0.000415"), Decimal("0.000415"))


def test_handler_counts_calls_of_several_threads():
    prices = PriceCallbackHandler()
    model = fake().chat_model(FLASH, callbacks=[prices])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(model.invoke, ["hi"] * 20))
    assert prices.total_price == 20 * Decimal("0.000415")


def test_version_of_the_list_is_known():
    assert prices_version() == version("genai-prices")


def test_without_the_package_the_error_says_what_to_install():
    """The module `price` can be imported without `genai-prices`. The package does not import the module."""
    code = """
        import sys
        import langchain_gemini_compat as package
        package.ChatGeminiCompat
        assert "langchain_gemini_compat.price" not in sys.modules
        sys.modules["genai_prices"] = None
        from langchain_gemini_compat import price
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        for act in (price.PriceCallbackHandler, price.prices_version, lambda: price.estimate_price(usage, "m")):
            try:
                act()
            except ImportError as error:
                print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.count("Run `pip install genai-prices`.") == 3


def test_answers_from_the_cache_cost_nothing():
    """Three equal calls send one request. LangChain sets `total_cost` to 0 in the answers from its cache."""
    fake = FakeGemini(Reply("hi", usage=Usage(100, 10)))
    model, prices = fake.chat_model(FLASH, cache=InMemoryCache()), PriceCallbackHandler()
    totals = []
    for _ in range(3):
        model.invoke("hi", config={"callbacks": [prices]})
        totals.append(prices.total_price)
    assert len(fake.requests) == 1
    assert totals[0] > 0
    assert totals == [totals[0]] * 3

"""The question and the tools of the demo's agent, and the script of the fake endpoint. All data is made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat.testing import Call, Fault, Reply, Style

if TYPE_CHECKING:
    from collections.abc import Callable

QUESTION = (
    "I fly from Lisbon to Oslo tomorrow with 120 euros in my pocket. How much colder is it there, and how many "
    "kroner is that? Look up both cities at once."
)
_WEATHER = {"lisbon": ("clear", 19), "oslo": ("snow", -4)}
_PER_EURO = {"EUR": 1.0, "NOK": 11.5, "USD": 1.1}
_STREAMED = Style(args="cut", cut_every=4)


def get_weather(city: str) -> str:
    """Return tomorrow's weather in a city.

    Args:
        city: Name of the city, in English.
    """
    sky, degrees = _WEATHER.get(city.lower(), ("unknown", 0))
    return f"{city}: {sky}, {degrees} degrees Celsius"


def convert_currency(amount: float, source: str, target: str) -> str:
    """Convert an amount of money to another currency.

    Args:
        amount: Amount to convert.
        source: Currency code of the amount, such as EUR.
        target: Currency code of the result.
    """
    rates = _PER_EURO.get(source.upper()), _PER_EURO.get(target.upper())
    if rates[0] is None or rates[1] is None:
        return f"There is no rate from {source} to {target}. Available: {', '.join(_PER_EURO)}."
    return f"{amount:.2f} {source.upper()} = {amount / rates[0] * rates[1]:.2f} {target.upper()}"


TOOLS: tuple[Callable[..., str], ...] = (get_weather, convert_currency)


def script() -> list[Reply | Fault]:
    """Return the replies of the fake endpoint: two parallel tool calls, a 503, one more tool call, and the answer."""
    return [
        Reply(
            thoughts="Two cities to compare. Neither lookup needs the other, so I ask for both at once.",
            calls=[Call("get_weather", {"city": "Lisbon"}), Call("get_weather", {"city": "Oslo"})],
            style=_STREAMED,
        ),
        Fault.overloaded(),
        Reply(
            thoughts="19 and -4: that is 23 degrees. Now the money.",
            calls=[Call("convert_currency", {"amount": 120, "source": "EUR", "target": "NOK"})],
            style=_STREAMED,
        ),
        Reply(
            thoughts="Everything is there.",
            text="Oslo is 23 degrees colder than Lisbon: -4 and snow, so pack a coat. Your 120 euros are 1380 kroner.",
            chunks=6,
        ),
    ]

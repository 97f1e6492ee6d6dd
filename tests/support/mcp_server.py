"""An MCP server over stdio, in a process of its own. Its schemas have keywords that Gemini refuses."""

from base64 import b64decode
from typing import Annotated, Literal

from mcp.server.fastmcp import FastMCP, Image
from pydantic import BaseModel, Field

#: An image of one pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
server = FastMCP("weather", log_level="ERROR")


class Place(BaseModel):
    """A place."""

    city: str
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None


@server.tool()
def get_weather(place: Place, unit: Literal["C", "F"] | None = None) -> str:
    """Weather of a place."""
    return f"Sunny in {place.city}, 20 {unit or 'C'}."


@server.tool(name="weather.alerts")
def get_alerts(cities: list[str]) -> str:
    """Warnings for some cities."""
    raise ValueError(f"No warnings are kept for {', '.join(cities)}.")


@server.tool()
def get_map(city: str) -> Image:
    """Map of a city."""
    return Image(data=b64decode(PNG), format="png")


if __name__ == "__main__":
    server.run()

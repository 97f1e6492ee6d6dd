"""A real MCP server over stdio, a process of its own; its schemas have what Gemini does not take as it is."""

from base64 import b64decode
from typing import Annotated, Literal

from mcp.server.fastmcp import FastMCP, Image
from pydantic import BaseModel, Field

#: One pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
server = FastMCP("weather", log_level="ERROR")


class Place(BaseModel):
    """Where to look."""

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

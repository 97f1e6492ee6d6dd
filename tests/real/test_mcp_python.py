"""An agent calls every tool of MCP servers from PyPI: time and sqlite."""

import pytest
from mcp_agents import MODELS, Caller, call_every_tool
from real_software import tool

TIME = Caller({"timezone": "Asia/Tokyo", "source_timezone": "Europe/Paris", "target_timezone": "UTC", "time": "12:30"})
SQLITE = Caller(
    {
        "create_table.query": "CREATE TABLE IF NOT EXISTS cities (name TEXT, people INTEGER)",
        "write_query.query": "INSERT INTO cities VALUES ('Paris', 2100000)",
        "read_query.query": "SELECT * FROM cities",
        "table_name": "cities",
        "insight": "Paris is a city.",
    }
)
pytestmark = [
    pytest.mark.parametrize(("surface", "model"), MODELS),
    pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"),
]


async def test_time_tools(surface, model):
    """A time zone that does not exist gives an error as the tool's result. The conversation then continues."""
    server = {"command": tool("mcp-time", "mcp-server-time"), "args": []}
    for results, _ in await call_every_tool(server, TIME, surface, model):
        assert results.keys() == {"get_current_time", "convert_time"}
        for found in results.values():
            assert [result.status for result in found] == ["error", "success", "success"]
        assert "+09:00" in results["get_current_time"][1].text


async def test_sqlite_tools(surface, model, tmp_path):
    """The server gives errors of the database as text."""
    server = {"command": tool("mcp-sqlite", "mcp-server-sqlite"), "args": ["--db-path", str(tmp_path / "data.db")]}
    for results, _ in await call_every_tool(server, SQLITE, surface, model):
        assert len(results) == 6
        assert "syntax error" in results["write_query"][0].text
        assert "affected_rows" in results["write_query"][2].text
        assert "people" in results["describe_table"][1].text

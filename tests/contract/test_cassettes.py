"""Replayed exchanges with AI Studio, and checks of all cassettes."""

import os

import pytest
from cassette_files import EXAMPLES, FOLDER, IGNORED_HOSTS, LEAKS, SUPPORT_PAGE, all_names, cassette, load, source_rows
from langchain_core.messages import HumanMessage, ToolMessage

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._signatures import SIGNATURES_KEY

MODEL = "gemini-3.8-flash"
STUDIO = {f"tool_loop/{MODEL}/complete", f"tool_loop/{MODEL}/stream", f"thoughts/{MODEL}/stream"}


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"Sunny in {city}."


@pytest.fixture
def studio(record):
    """Return a model on AI Studio. Recording uses the key of the environment."""
    key = os.environ["GOOGLE_API_KEY"] if record else "test"
    return lambda **kwargs: ChatGeminiCompat(model=MODEL, api_key=key, max_retries=0, **kwargs)


@pytest.mark.parametrize("mode", ["complete", "stream"])
async def test_tool_loop(studio, record, mode):
    """Two requests are replayed in sync and in async calls.

    The first request gets a tool call. The second one sends the tool's result with the signature of the call, and gets
    the answer.
    """
    model = studio().bind_tools([get_weather])
    for asynchronous in (False, True):
        with cassette(f"tool_loop/{MODEL}/{mode}", record=record and not asynchronous):
            history = [HumanMessage("What is the weather in Paris? Use the tool.")]
            message = await run(model, history, mode, asynchronous)
            (call,) = message.tool_calls
            assert call["args"] == {"city": "Paris"}
            assert call["id"] in message.additional_kwargs[SIGNATURES_KEY]
            history += [message, ToolMessage(get_weather(**call["args"]), tool_call_id=call["id"])]
            answer = await run(model, history, mode, asynchronous)
            assert "sunny" in answer.text.lower()
            assert answer.usage_metadata["total_tokens"] > 0


async def test_thoughts(studio, record):
    """In a stream, requested thoughts arrive as reasoning blocks."""
    model = studio(include_thoughts=True)
    for asynchronous in (False, True):
        with cassette(f"thoughts/{MODEL}/stream", record=record and not asynchronous):
            answer = await run(model, "Is 391 prime? One sentence.", "stream", asynchronous)
        assert [block["type"] for block in answer.content_blocks][:2] == ["reasoning", "text"]
        assert "thought>" not in answer.text


async def run(model, messages, mode, asynchronous):
    if mode == "complete":
        return await model.ainvoke(messages) if asynchronous else model.invoke(messages)
    parts = [part async for part in model.astream(messages)] if asynchronous else list(model.stream(messages))
    total = parts[0]
    for part in parts[1:]:
        total += part
    return total


def test_every_cassette_is_used():
    """The names of the cassette files and the names in the tests are the same."""
    assert set(all_names()) == set(EXAMPLES.values()) | set(SUPPORT_PAGE.values()) | STUDIO


@pytest.mark.parametrize("name", all_names())
def test_cassette_has_a_source(name):
    """`recorded` means that Google's service answered. Other cassettes are `composed` and name their source."""
    provenance = load(name)["provenance"]
    assert provenance.keys() >= {"kind", "source", "date", "model"}
    assert provenance["kind"] in ("recorded", "composed")
    assert provenance["model"] == name.split("/")[1]
    if provenance["kind"] == "recorded":
        assert all(host.endswith("googleapis.com") for host in provenance["source"].split(", "))
    else:
        assert len(provenance["source"]) > 20


@pytest.mark.parametrize("name", all_names())
def test_cassette_has_the_layout_of_recorded_ones(name):
    """A composed cassette has the same keys and types of bodies as a recorded one, so a recording can replace it."""
    mode = name.split("/")[2]
    assert mode in ("complete", "stream")
    assert set(load(name)) == {"provenance", "interactions"}
    for item in load(name)["interactions"]:
        request, response = item["request"], item["response"]
        assert request.keys() == {"method", "uri", "json"}
        assert request["json"].get("stream", False) is (mode == "stream")
        streamed = mode == "stream" and response["status"]["code"] == 200
        assert response.keys() == {"status", "headers", "events" if streamed else "json"}
        assert response["headers"]["content-type"][0].startswith(
            "text/event-stream" if streamed else "application/json"
        )
        assert response["status"].keys() == {"code", "message"}
        if streamed:
            assert response["events"][-1] == "[DONE]"


@pytest.mark.parametrize("name", all_names())
def test_cassette_holds_no_secret(name):
    """A cassette contains no key, token, project or header that might be secret."""
    assert LEAKS.findall((FOLDER / f"{name}.yaml").read_text()) == []
    for item in load(name)["interactions"]:
        assert "headers" not in item["request"]
        assert item["response"]["headers"].keys() <= {"content-type", "retry-after"}
        assert not any(host in item["request"]["uri"] for host in IGNORED_HOSTS)


def test_readme_lists_every_cassette_with_its_provenance():
    """The last table in the README of the cassettes has the provenance that the cassette files contain."""
    _, _, table = (FOLDER / "README.md").read_text().partition("| cassette | kind | source |\n|---|---|---|\n")
    assert table.splitlines() == source_rows()


def test_request_that_differs_from_the_cassette_is_an_error(studio):
    """A request whose body differs from the cassette raises an error."""
    with pytest.raises(Exception, match=r"overwrite existing cassette|No match"), cassette(f"thoughts/{MODEL}/stream"):
        list(studio(temperature=0.5, include_thoughts=True).stream("Is 391 prime? One sentence."))


def test_cassette_with_unused_exchanges_fails():
    """A test has to use every exchange of its cassette."""
    with pytest.raises(AssertionError, match="replayed to its end"), cassette(f"tool_loop/{MODEL}/complete"):
        pass

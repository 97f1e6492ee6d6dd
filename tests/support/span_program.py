"""Program that records spans with two libraries, OpenLLMetry and OpenInference, and prints the spans as JSON.

It is a separate program, because one of these libraries cannot be switched off again in a process.
"""

import io
import json
from contextlib import redirect_stdout, suppress
from itertools import chain
from pathlib import Path

from langchain.agents import create_agent
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from page_blocks import OFFLINE, read_blocks
from wire import Wire, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.errors import RateLimitError
from langchain_gemini_compat.testing import Call, FakeGemini, Fault, Reply

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "observability.md").read_text()
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 60},
    "completion_tokens_details": {"reasoning_tokens": 30},
}
QUESTION = {"messages": "Weather in Paris?"}
SCRIPT = [Reply(calls=[Call("get_weather", {"city": "Paris"})], usage=USAGE), Reply(text="Sunny.", usage=USAGE)]


def read_page(language):
    """Run the page's code blocks in `language`, and return the names that they define.

    The block in `py` turns on instrumentation, which cannot be turned off again in this process.
    """
    namespace = {"__name__": "docs"}
    for block in read_blocks(PAGE):
        if block.language in language.split("|") and block.tab in (None, OFFLINE):
            exec(compile(block.code, "observability.md", "exec"), namespace)
    return namespace


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"Sunny in {city}."


def build_agent(fake, *, model="gemini-3.8-flash", **options):
    return create_agent(fake.chat_model(model, **options), [get_weather])


def run_agent(config=None, **options):
    """Return the final messages of an agent that calls one tool."""
    fake = FakeGemini(SCRIPT)
    messages = build_agent(fake, **options).invoke(QUESTION, config)["messages"]
    assert fake.refusals == []
    return messages


def stream_agent(config=None, **options):
    """Do the same as `run_agent`, and stream messages."""
    fake = FakeGemini(SCRIPT)
    *_, state = build_agent(fake, **options).stream(QUESTION, config, stream_mode=["messages", "values"])
    assert all(request.stream for request in fake.requests)
    return state[1]["messages"]


def stream_agent_events(config=None, **options):
    """Do the same as `run_agent`, and stream v3 events."""
    fake = FakeGemini(SCRIPT)
    run = build_agent(fake, **options).stream_events(QUESTION, config, version="v3")
    assert list(run)
    return run.output["messages"]


def stream():
    assert list(FakeGemini(SCRIPT[1:]).chat_model().stream("Hi"))


def ask_for_another():
    """Send a request that the server answers with another model than the requested one."""
    wire = Wire(completion())
    chat = ChatGeminiCompat(model="gemini-flash-latest", api_key="k", **wire.clients)
    assert chat.invoke("Hi").response_metadata["model_name"] == "gemini-3.8-flash"


def fail():
    with suppress(RateLimitError):
        FakeGemini([Fault.rate_limit("9s", per="day")]).chat_model(max_retries=0).invoke("Hi")


def main():
    printed = io.StringIO()
    with redirect_stdout(printed):
        page = read_page("python|py")
    # The code of the page exports the spans of OpenLLMetry. Export the spans of OpenInference in the same way.
    provider, short = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(page["ShortSignatures"](short)))
    LangChainInstrumentor().instrument(tracer_provider=provider)
    ways = {"openllmetry": (page["provider"], page["memory"]), "openinference": (provider, short)}
    exporters = {}
    for name, (its_provider, its_short) in ways.items():
        whole = InMemorySpanExporter()
        its_provider.add_span_processor(SimpleSpanProcessor(whole))
        exporters[name] = (whole, its_short)
    found = {name: {} for name in ways}
    for act in (run_agent, stream_agent, stream_agent_events, stream, ask_for_another, fail):
        for exporter in chain(*exporters.values()):
            exporter.clear()
        act()
        for name, pair in exporters.items():
            found[name][act.__name__] = [
                [json.loads(span.to_json()) for span in exporter.get_finished_spans()] for exporter in pair
            ]
    print(json.dumps({"printed": printed.getvalue(), **found}))


if __name__ == "__main__":
    main()

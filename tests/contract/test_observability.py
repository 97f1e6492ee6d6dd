"""Traces, spans, metadata and logs of a call, with the code of the observability page."""

import ast
import copy
import inspect
import json
import logging
import re
import subprocess
import sys
import textwrap
import warnings
from base64 import b64encode
from pathlib import Path

import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tracers import LangChainTracer
from langsmith import Client
from langsmith.anonymizer import create_anonymizer
from span_program import read_page, run_agent, stream_agent, stream_agent_events
from wire import Wire, completion, google_error, reply

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._response.message_chunks import ReplyDecoder
from langchain_gemini_compat._signatures import RECORDS_KEY, SIGNATURES_KEY

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "observability.md").read_text()
LONG = re.compile(r"[A-Za-z0-9+/_-]{100,}")


@pytest.fixture(scope="module")
def page():
    """Run the Python blocks of the page. Return a dict of the variables and functions that they define."""
    found = read_page("python")
    logging.getLogger("langchain_gemini_compat").setLevel(logging.NOTSET)
    return found


class Session:
    """A replacement for LangSmith's session that keeps the posted data."""

    def __init__(self):
        self.headers = {}
        self.posted = []

    def request(self, method, url, *, data=None, **more):
        self.posted.append(json.loads(data))
        return self

    def mount(self, *where): ...

    def close(self): ...

    def raise_for_status(self): ...


def post(act=run_agent, anonymizer=None, **options):
    """Return what an agent posts to LangSmith: the start and the end of its runs."""
    session = Session()
    client = Client(
        api_url="http://127.0.0.1:9", api_key="k", session=session, auto_batch_tracing=False, anonymizer=anonymizer
    )
    tracer = LangChainTracer(client=client)
    messages = act({"callbacks": [tracer]}, **options)
    # The signatures in the state are complete, even if the signatures in the trace are shortened.
    assert LONG.search(json.dumps(messages[1].additional_kwargs[SIGNATURES_KEY]))
    assert LONG.search(json.dumps(messages[-1].additional_kwargs[RECORDS_KEY]))
    tracer.wait_for_futures()
    return session.posted


def metadata_of_calls(posted):
    """Return the metadata of each finished run of the model."""
    found = [run["extra"]["metadata"] for run in posted if run.get("outputs")]
    return [metadata for metadata in found if "ls_model_type" in metadata]


ways = pytest.mark.parametrize("act", [run_agent, stream_agent, stream_agent_events])


@ways
def test_langsmith_gets_model_provider_and_tokens(act):
    """Every run of the model has the model's name without a prefix, the provider, and the tokens of each kind."""
    found = metadata_of_calls(post(act, temperature=0.5, max_tokens=9000, stop=["END"]))
    assert len(found) == 2
    for metadata in found:
        assert {name: value for name, value in metadata.items() if name.startswith(("ls_", "usage"))} == {
            "ls_integration": "langchain_chat_model",
            "ls_provider": "gemini_compat",
            "ls_model_name": "gemini-3.8-flash",
            "ls_model_type": "chat",
            "ls_temperature": 0.5,
            "ls_max_tokens": 9000,
            "ls_stop": ["END"],
            "usage_metadata": {
                "input_tokens": 100,
                "output_tokens": 50,
                "total_tokens": 150,
                "input_token_details": {"cache_read": 60},
                "output_token_details": {"reasoning": 30},
            },
        }


def price(metadata, *, pattern, provider=None):
    """Return the cost by the rules of LangSmith's page.

    In dollars for a million tokens: input 1, cached 0.1, output 10.
    """
    if not re.search(pattern, metadata["ls_model_name"]) or provider not in (None, metadata["ls_provider"]):
        return None
    usage = metadata["usage_metadata"]
    cached = usage["input_token_details"]["cache_read"]
    return cached * 0.1 + (usage["input_tokens"] - cached) * 1 + usage["output_tokens"] * 10


@ways
def test_cost_of_a_call_is_google_s(act):
    """The cost is that of 40 input tokens, 60 cached input tokens, and 50 output tokens, 30 of them thoughts.

    A price rule of LangSmith can match the name of the model, or the name and the provider.
    """
    paid = 40 * 1 + 60 * 0.1 + (20 + 30) * 10
    plain, named = (
        metadata_of_calls(post(act, model=f"{prefix}gemini-3.8-flash", **more))
        for prefix, more in (("google/", {}), ("models/", {"metadata": {"ls_provider": "google_genai"}}))
    )
    pattern = "^gemini-3.8-flash$"
    assert [price(each, pattern=pattern) for each in plain + named] == [paid] * 4
    assert [price(each, pattern=pattern, provider="google_genai") for each in plain + named] == [None] * 2 + [paid] * 2


@pytest.mark.parametrize("name", ["google/gemini-3.8-flash", "models/gemini-3.8-flash", "gemini-3.8-flash"])
def test_name_of_the_model_in_traces_is_bare(name):
    """Traces have the name of the model without the prefix `google/` or `models/`.

    The name can be a field of the model or an argument of the call.
    """
    chat = ChatGeminiCompat(model=name, api_key="k")
    other = ChatGeminiCompat(model="gemini-2.5-pro", api_key="k")
    assert chat._get_ls_params()["ls_model_name"] == "gemini-3.8-flash"
    assert other._get_ls_params(model=name)["ls_model_name"] == "gemini-3.8-flash"


def test_traced_options_are_those_of_langchain():
    """The options in traces are the same as with the method of langchain-core, which the chat model overrides."""
    model, given = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k"), {"stop": ["x"], "seed": 7}
    assert model._get_invocation_params(**given) == BaseChatModel._get_invocation_params(model, **given)


def test_call_does_not_replace_the_filters_of_warnings():
    """All threads share the filters of `warnings`. If two threads replace and restore them, a filter can be lost."""
    seen = []

    class Watched(ChatGeminiCompat):
        def asdict(self):
            seen.append(warnings.filters)
            return super().asdict()

    filters = warnings.filters
    Watched(model="gemini-3.8-flash", api_key="k")._get_invocation_params()
    assert seen[0] is filters


def test_provider_for_prices_is_only_in_traces():
    """`ls_provider` changes the provider in traces. The message still has the provider `gemini_compat`."""
    assert run_agent(metadata={"ls_provider": "google_genai"})[1].response_metadata["model_provider"] == "gemini_compat"


@ways
def test_signatures_are_short_in_langsmith_and_whole_in_the_state(act, page):
    """With the page's anonymizer, LangSmith gets only short signatures. Without `max_depth`, some would stay long."""
    assert LONG.search(json.dumps(post(act)))
    posted = json.dumps(post(act, page["shorten"]), ensure_ascii=False)
    assert not LONG.search(posted)
    assert posted.count("…") >= 8
    shallow = create_anonymizer([{"pattern": page["SIGNATURE"], "replace": r"\1…"}])
    assert LONG.search(json.dumps(post(act, shallow)))


def test_recipe_shortens_images_and_keeps_text(page):
    """The recipe shortens base64 of 100 characters and more. It does not shorten text with spaces."""
    image = b64encode(bytes(range(256))).decode()
    cut = page["shorten"]({"image": f"data:image/png;base64,{image}", "short": image[:96], "text": "A word. " * 50})
    assert cut == {"image": f"data:image/png;base64,{image[:12]}…", "short": image[:96], "text": "A word. " * 50}


#: The attributes that each instrumentation writes for a call of the model.
ATTRIBUTES = {
    "openllmetry": {
        "gen_ai.provider.name": "gcp.gen_ai",
        "gen_ai.request.model": "gemini-3.8-flash",
        "gen_ai.response.model": "gemini-3.8-flash",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.total_tokens": 150,
        "gen_ai.usage.cache_read.input_tokens": 60,
    },
    "openinference": {
        "llm.provider": "gemini_compat",
        "llm.model_name": "gemini-3.8-flash",
        "llm.token_count.prompt": 100,
        "llm.token_count.completion": 50,
        "llm.token_count.total": 150,
        "llm.token_count.prompt_details.cache_read": 60,
        "llm.token_count.completion_details.reasoning": 30,
    },
}


@pytest.fixture(scope="module")
def program():
    """Return what `span_program.py` prints: the spans of each instrumentation, and the output of the page's code."""
    path = Path(__file__).parents[1] / "support" / "span_program.py"
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(params=ATTRIBUTES)
def spans(program, request):
    """Return the attributes that one instrumentation must write, and the spans that it wrote.

    For each way to call the model, there are two lists: the original spans, and the spans with short signatures.
    """
    return ATTRIBUTES[request.param], copy.deepcopy(program[request.param])


def of_model(found):
    """Return the spans of the model's calls."""
    return [span for span in found if span["name"].startswith("ChatGeminiCompat")]


def test_spans_name_model_provider_tokens_and_tools(spans):
    """Each span of a model call has the values in `ATTRIBUTES`. The call of a tool has a separate span."""
    expected, found = spans
    for act, calls in {"run_agent": 2, "stream_agent": 2, "stream_agent_events": 2, "stream": 1}.items():
        whole, _ = found[act]
        assert len(of_model(whole)) == calls
        for span in of_model(whole):
            assert {name: span["attributes"].get(name) for name in expected} == expected
        assert sum(span["name"] in ("get_weather", "execute_tool get_weather") for span in whole) == (calls > 1)


def test_calls_of_tools_are_in_spans(spans):
    """Calls of tools are in the attribute that the page names."""
    _, found = spans
    for act in ("run_agent", "stream_agent", "stream_agent_events"):
        attributes = of_model(found[act][0])[0]["attributes"]
        if "gen_ai.output.messages" in attributes:
            [message] = json.loads(attributes["gen_ai.output.messages"])
            [called] = [part for part in message["parts"] if part["type"] == "tool_call"]
            assert (called["name"], called["arguments"]) == ("get_weather", {"city": "Paris"})
        else:
            start = "llm.output_messages.0.message.tool_calls.0.tool_call.function."
            assert attributes[start + "name"] == "get_weather"
            assert json.loads(attributes[start + "arguments"]) == {"city": "Paris"}


def test_spans_name_the_model_that_answered(program):
    """The spans of OpenLLMetry and OpenInference name the model that answered. OpenLLMetry adds the requested model."""
    names = {}
    for name in ATTRIBUTES:
        [span] = of_model(program[name]["ask_for_another"][0])
        names |= {key: value for key, value in span["attributes"].items() if key.endswith((".model", ".model_name"))}
    assert names == {
        "gen_ai.request.model": "gemini-flash-latest",
        "gen_ai.response.model": "gemini-3.8-flash",
        "llm.model_name": "gemini-3.8-flash",
    }


def test_one_instrumentation_counts_thoughts(program):
    """Only OpenInference counts the tokens of thoughts. OpenLLMetry counts them as a part of the output tokens."""
    found = {name: of_model(program[name]["run_agent"][0])[0]["attributes"] for name in ATTRIBUTES}
    assert [name for name, attributes in found.items() if 30 in attributes.values()] == ["openinference"]


def test_an_error_is_in_its_span(spans):
    """The span names the class of the error."""
    expected, found = spans
    [span] = of_model(found["fail"][0])
    assert span["status"]["status_code"] == "ERROR"
    assert span["events"][0]["attributes"]["exception.type"].endswith("QuotaExhaustedError")
    kind = "QuotaExhaustedError" if "gen_ai.request.model" in expected else None
    assert span["attributes"].get("error.type") == kind


@pytest.mark.parametrize("act", ["run_agent", "stream_agent", "stream_agent_events"])
def test_signatures_are_short_in_spans(spans, act):
    """The short spans differ from the original spans only in the signatures."""
    whole, short = spans[1][act]
    assert LONG.search(json.dumps(whole))
    assert not LONG.search(json.dumps(short, ensure_ascii=False))
    for before, after in zip(whole, short, strict=True):
        cut = {name for name, value in before["attributes"].items() if LONG.search(str(value))}
        assert before["attributes"].keys() == after["attributes"].keys()
        for name in cut:
            assert "…" in after["attributes"].pop(name)
            del before["attributes"][name]
        assert before == after


def test_block_of_the_page_prints_its_output(program):
    """One code block of the page prints names of models. Only `span_program.py` runs this block."""
    assert program["printed"].splitlines()[-2:] == ["gemini-3.8-flash"] * 2


def metadata_in_code():
    """Return the keys that the code sets in the metadata of a message."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(ReplyDecoder._metadata)))
    [keys] = [
        node.value.keys for node in ast.walk(tree) if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
    ]
    return {key.value for key in keys} | {"model_provider"}


@pytest.mark.filterwarnings("ignore:The name of tool")
def test_the_table_of_metadata_is_complete():
    """The page lists each metadata key that the code sets. The test's reply has all but `invalid_tool_calls`."""
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    answer = completion() | {"model": "gemini-3.8-flash-002", "system_fingerprint": "fp", "service_tier": "flex"}
    answer["provider"] = "Google"
    usage |= {"cost": 0.1, "cost_details": {"upstream_inference_cost": 0.1}}
    answer["choices"][0]["logprobs"] = {"content": [{"token": "Hello", "logprob": -0.1}]}
    answer["usage"] = usage | {"extra_properties": {"google": {"traffic_type": "ON_DEMAND"}}}
    wire = Wire(reply(google_error(503, "UNAVAILABLE", "Busy."), 503), answer)
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", **wire.clients)
    call = {"name": "a.b", "args": {}, "id": "c1"}
    history = [HumanMessage("Hi"), AIMessage("", tool_calls=[call]), ToolMessage("1", tool_call_id="c1")]
    tool = {"type": "function", "function": {"name": "a.b", "parameters": {"type": "object", "properties": {}}}}
    metadata = chat.bind_tools([tool]).invoke(history, include_response_headers=True).response_metadata
    table = PAGE.partition("`response_metadata` can have these keys")[2].partition("```")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == metadata_in_code()
    # Only a reply with invalid calls has the key `invalid_tool_calls`.
    assert metadata_in_code() - {"invalid_tool_calls"} == set(metadata)
    assert metadata["model_name"] == "gemini-3.8-flash-002"
    assert (metadata["id"], metadata["retries"], metadata["signature_stand_ins"]) == ("reply-1", 1, 1)
    assert 0.2 < metadata["waited"] < 30
    assert "a.b" in metadata["repairs"][0]


def test_logger_is_silent_by_default():
    """By default, nothing is logged. At level INFO, a dropped option and a retry are logged, without prompt or answer."""
    program = """
        import logging, sys, warnings
        from langchain_gemini_compat.errors import GeminiCompatWarning
        from langchain_gemini_compat.testing import FakeGemini, Fault

        warnings.simplefilter("ignore", GeminiCompatWarning)

        def ask():
            fake = FakeGemini([Fault.rate_limit("0.1s"), "answer", "answer"])
            chat = fake.chat_model(logit_bias={"1": 1})
            assert [chat.invoke("prompt").text for _ in range(2)] == ["answer"] * 2

        ask()
        print("--", file=sys.stderr)
        logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
        logging.getLogger("langchain_gemini_compat").setLevel("INFO")
        ask()
        print(*[name for name in logging.root.manager.loggerDict if name.startswith("langchain_gemini_compat")])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "langchain_gemini_compat\n")
    marker, *lines = done.stderr.splitlines()
    assert marker == "--"
    assert len(lines) == 2
    assert lines[0].startswith("INFO langchain_gemini_compat dropped: ")
    assert lines[1].startswith("INFO langchain_gemini_compat Try 1 failed (RateLimitError).")
    assert not any("prompt" in line or "answer" in line for line in lines)


def test_no_line_is_above_info():
    """No line is above INFO, except in the fake endpoint, which logs mistakes in a script."""
    said = set()
    for path in (ROOT / "langchain_gemini_compat").rglob("*.py"):
        for name, level in re.findall(
            r"\b(_?log\w*)\.(debug|info|warning|error|exception|critical|log)\(", path.read_text()
        ):
            said.add(("testing" if "testing" in path.parts else "", name, level))
    assert said == {("", "_log", "info"), ("testing", "_logger", "exception")}

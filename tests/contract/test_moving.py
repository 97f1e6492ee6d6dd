"""One conversation through several packages: a thread of a checkpoint database, begun elsewhere, goes on here and there."""

import re
from contextlib import nullcontext
from importlib import import_module
from importlib.metadata import version
from inspect import getsource
from pathlib import Path

import pytest
from agents import get_time, get_weather
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from native_google import NativeGoogle, issue, native_version, standard

from langchain_gemini_compat import ChatGeminiCompat, to_google_genai
from langchain_gemini_compat._connection import _argument_names
from langchain_gemini_compat._signatures import SIGNATURES_KEY
from langchain_gemini_compat.errors import QuotaExhaustedError
from langchain_gemini_compat.testing import Call, FakeGemini, Fault, Reply

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
CONFIG = {"configurable": {"thread_id": "one"}}
QUESTION = {"messages": [("user", "Weather in Paris, then the time in Rome?")]}
ANSWER = "Paris is sunny, it is noon in Rome."
#: What the first package's model says, and then ours; the last one has the answer.
FIRST = {"name": "get_weather", "args": {"city": "Paris"}}
SECOND = Reply(thoughts="Rome now.", text="Paris is sunny.", calls=[Call("get_time", {"city": "Rome"})])


class OtherModel(FakeMessagesListChatModel):
    """A model of a package that is not installed: plays a message as that package writes it."""

    def bind_tools(self, tools, **kwargs):
        return self


def other_model(provider, content="", call_id="call_1", **kwargs):
    """An `OtherModel` whose message holds the first call."""
    calls = [{**FIRST, "id": call_id, "type": "tool_call"}]
    metadata = {"model_provider": provider, "model_name": "gemini-3.8-flash"}
    message = AIMessage(content, tool_calls=calls, response_metadata=metadata, additional_kwargs=kwargs)
    return OtherModel(responses=[message])


def begin_with_google_genai(surface):
    """The package itself, with a signed call."""
    parts = [{"functionCall": FIRST, "thoughtSignature": issue(surface, "get_weather")}]
    return NativeGoogle(surface, parts).chat_model()


def begin_with_openai(surface):
    """The package itself, with a call that has no signature."""
    openai = import_module("langchain_openai")
    fake = FakeGemini([Call(**FIRST)], surface="openai_compatible")
    base_url = fake.connection()["base_url"]
    return openai.ChatOpenAI(model="gpt-5.2", base_url=base_url, api_key="test-key", http_client=fake.http_client)


def begin_with_anthropic(surface):
    """A signed thought of Claude's, text, and the call as a block."""
    content = [
        {"type": "thinking", "thinking": "Paris first.", "signature": "RXJVQkNrUUlCeGdDSWtBPQ=="},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "toolu_01", "name": "get_weather", "input": {"city": "Paris"}},
    ]
    return other_model("anthropic", content, "toolu_01")


def begin_with_vertexai(surface):
    """A signed call, with the map that it shares with langchain-google-genai."""
    return other_model("google_vertexai", **{SIGNATURES_KEY: {"call_1": issue(surface, "get_weather")}})


def begin_with_litellm(surface):
    """A signature in the id of the call."""
    return other_model("litellm", call_id=f"call_1__thought__{issue(surface, 'get_weather')}")


#: How a thread begins, as whose, where, and how many stand-ins that means to us and to ChatGoogleGenerativeAI.
THREADS = {
    "ChatGoogleGenerativeAI, AI Studio": (begin_with_google_genai, "google_genai", "ai_studio", 0, 0),
    "ChatGoogleGenerativeAI, Vertex": (begin_with_google_genai, "google_genai", "vertex", 0, 0),
    "ChatOpenAI, AI Studio": (begin_with_openai, "openai", "ai_studio", 1, 1),
    "ChatOpenAI, Vertex": (begin_with_openai, "openai", "vertex", 1, 1),
    "Anthropic's, AI Studio": (begin_with_anthropic, "anthropic", "ai_studio", 1, 1),
    "Anthropic's, Vertex": (begin_with_anthropic, "anthropic", "vertex", 1, 1),
    "ChatVertexAI": (begin_with_vertexai, "google_vertexai", "vertex", 0, 0),
    "ChatLiteLLM, AI Studio": (begin_with_litellm, "litellm", "ai_studio", 0, 1),
    "ChatLiteLLM, Vertex": (begin_with_litellm, "litellm", "vertex", 0, 1),
}


def step(database, model, given=None, *, stop=True, rewritten=False):
    """The thread's messages after a step of a new agent over a new connection, up to its next call or to the end."""
    with SqliteSaver.from_conn_string(str(database)) as saver:
        agent = create_agent(model, [get_weather, get_time], checkpointer=saver)
        if rewritten:
            messages = agent.get_state(CONFIG).values["messages"]
            stands_after = "model" if messages[-1].type == "ai" else "__start__"
            agent.update_state(CONFIG, {"messages": to_google_genai(messages)}, as_node=stands_after)
        return agent.invoke(given, CONFIG, interrupt_before=["tools"] if stop else None)["messages"]


@pytest.mark.parametrize("thread", THREADS)
def test_a_turn_begun_elsewhere_goes_on_with_us(tmp_path, thread):
    """Between call and result: a signature of Google's goes back, a call without one gets the stand-in."""
    begin, provider, surface, stand_ins, _ = THREADS[thread]
    database = tmp_path / "state.db"
    step(database, begin(surface), QUESTION)
    fake = FakeGemini([ANSWER], surface=surface)
    messages = step(database, fake.chat_model(), stop=False)
    assert fake.refusals == []
    assert fake.stand_ins == stand_ins
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
    assert messages[-1].text == ANSWER
    assert providers(messages) == [provider, "gemini_compat"]
    called = fake.requests[0].messages[1]["tool_calls"][0]
    assert "__thought__" not in called["id"]


@pytest.mark.parametrize("rewritten", [False, True], ids=["as it is", "rewritten"])
@pytest.mark.parametrize("thread", THREADS)
def test_a_turn_begun_elsewhere_goes_on_with_us_and_ends_at_google_genai(tmp_path, thread, rewritten):
    """One database, three packages, one turn: our call's signature arrives byte for byte; rewritten, our thoughts too."""
    begin, provider, surface, ours, theirs = THREADS[thread]
    database = tmp_path / "state.db"
    step(database, begin(surface), QUESTION)
    fake = FakeGemini([SECOND], surface=surface)
    signed = step(database, fake.chat_model(include_thoughts=True))[-1]
    native = NativeGoogle(surface, [{"text": ANSWER}])
    with refused(theirs):
        messages = step(database, native.chat_model(), stop=False, rewritten=rewritten)
        assert (fake.stand_ins, native.stand_ins) == (ours, theirs)
        assert [message.type for message in messages] == ["human", "ai", "tool", "ai", "tool", "ai"]
        assert messages[-1].text == ANSWER
        assert providers(messages) == [provider, "google_genai" if rewritten else "gemini_compat", "google_genai"]
    assert fake.refusals == []
    parts = native.contents[0][3]["parts"]
    assert parts[-1]["functionCall"] == {"name": "get_time", "args": {"city": "Rome"}}
    signature = signed.additional_kwargs[SIGNATURES_KEY][signed.tool_calls[0]["id"]]
    assert standard(parts[-1]["thoughtSignature"]) == signature
    assert thoughts_of(parts) == (["Rome now."] if rewritten or native_version() < (4, 4) else [])
    assert {"text": "Paris is sunny."} in parts


def refused(stand_ins):
    """Where a signature is missing, ChatGoogleGenerativeAI before 4.4 makes up one that Google refuses."""
    if stand_ins and native_version() < (4, 4):
        error = import_module("langchain_google_genai.chat_models").GoogleInvalidRequestError
        return pytest.raises(error, match="Corrupted")
    return nullcontext()


def providers(messages):
    """Whose each of the model's messages is."""
    return [message.response_metadata["model_provider"] for message in messages if message.type == "ai"]


def thoughts_of(parts):
    """The texts of those that are thoughts."""
    return [part["text"] for part in parts if part.get("thought")]


@pytest.mark.parametrize("rewritten", [False, True], ids=["as it is", "rewritten"])
@pytest.mark.parametrize("surface", ["ai_studio", "vertex"])
def test_a_finished_thread_of_ours_goes_on_at_google_genai(tmp_path, surface, rewritten):
    """The signature of a text is optional: it goes along if the history was rewritten."""
    database = tmp_path / "state.db"
    fake = FakeGemini([Reply(thoughts="Easy.", text="Sunny.")], surface=surface)
    given = step(database, fake.chat_model(include_thoughts=True), QUESTION)[-1]
    native = NativeGoogle(surface, [{"text": ANSWER}])
    step(database, native.chat_model(), {"messages": [("user", "And in Rome?")]}, rewritten=rewritten)
    parts = native.contents[0][1]["parts"]
    if not rewritten:
        assert [part for part in parts if not part.get("thought")] == [{"text": "Sunny."}]
        assert thoughts_of(parts) == (["Easy."] if native_version() < (4, 4) else [])
        return
    assert parts[0] == {"text": "Easy.", "thought": True}
    assert parts[1]["text"] == "Sunny."
    assert standard(parts[1]["thoughtSignature"]) == given.content_blocks[1]["extras"]["signature"]


#: What had been said when Google failed: the script up to there, the questions, the types of the messages.
FAILED = {
    "at the first question": ([], 1, ["human"]),
    "at a later question": (["Sunny."], 2, ["human", "ai", "human"]),
    "at a result": ([Call(**FIRST)], 1, ["human", "ai", "tool"]),
    "at two results": ([[Call(**FIRST), Call(**FIRST)]], 1, ["human", "ai", "tool", "tool"]),
}


@pytest.mark.parametrize("place", FAILED)
def test_a_thread_that_a_failure_stopped_is_rewritten_and_answered(tmp_path, place):
    """No question is lost, no message doubled, and the model is what comes next."""
    script, questions, types = FAILED[place]
    database = tmp_path / "state.db"
    fake = FakeGemini([*script, Fault.rate_limit("39043s", per="day")], surface="ai_studio")
    for _ in range(questions - 1):
        step(database, fake.chat_model(), QUESTION, stop=False)
    with pytest.raises(QuotaExhaustedError):
        step(database, fake.chat_model(), QUESTION, stop=False)
    native = NativeGoogle("ai_studio", [{"text": ANSWER}])
    messages = step(database, native.chat_model(), rewritten=True)
    assert [message.type for message in messages] == [*types, "ai"]
    assert messages[-1].text == ANSWER
    assert providers(messages) == ["google_genai"] * types.count("ai") + ["google_genai"]
    assert native.stand_ins == 0


def test_the_page_rewrites_as_the_tests_do():
    """Word for word, but for the name of the config."""
    lines = [line.strip() for line in getsource(step).splitlines() if "stands_after" in line]
    page = (HOW_TO / "move-from-chatgooglegenerativeai.md").read_text(encoding="utf-8")
    assert len(lines) == 2
    assert [line for line in lines if line.replace("CONFIG", "config") not in page] == []


def change_surfaces(rewritten):
    """A turn of ours on AI Studio, and Google's native Vertex to go on with it."""
    fake = FakeGemini([SECOND], surface="ai_studio")
    reply = fake.chat_model().invoke("Time in Rome?")
    history = [("user", "Time in Rome?"), reply, {"role": "tool", "content": "noon", "tool_call_id": call_id(reply)}]
    if rewritten:
        history[1:2] = to_google_genai([reply], vertexai=True)
    return NativeGoogle("vertex", [{"text": ANSWER}]), history


def test_a_turn_that_changes_surfaces_on_the_way_back_needs_the_surface_said():
    """A signature of AI Studio is left out for Vertex, and replaced by the stand-in."""
    native, history = change_surfaces(rewritten=True)
    with refused(1):
        assert native.chat_model().invoke(history).text == ANSWER
        assert native.stand_ins == 1


def test_a_turn_that_changes_surfaces_is_refused_where_the_surface_was_not_said():
    """A signature of AI Studio is an error on Vertex."""
    native, history = change_surfaces(rewritten=False)
    error = import_module("langchain_google_genai.chat_models").GoogleInvalidRequestError
    with pytest.raises(error, match="Corrupted"):
        native.chat_model().invoke(history)


def call_id(message):
    """The id of its only call."""
    return message.tool_calls[0]["id"]


#: Page, class, the tables of the page that list the class's arguments.
CLASSES = {
    "ChatOpenAI": ("chatopenai", "langchain_openai", ["ChatOpenAI"]),
    "ChatGoogleGenerativeAI": ("chatgooglegenerativeai", "langchain_google_genai", ["ChatGoogleGenerativeAI"]),
    "ChatVertexAI": (
        "chatgooglegenerativeai",
        "langchain_google_vertexai",
        ["ChatGoogleGenerativeAI", "ChatVertexAI"],
    ),
    "ChatLiteLLM": ("chatlitellm", "langchain_litellm", ["ChatLiteLLM"]),
}
CODE = re.compile(r"`([^`]+)`")
NAME = re.compile(r"[a-z_]+")


def read_table(page, name):
    """The rows of the table headed by `name`: their arguments, and what is said of them here."""
    text = (HOW_TO / f"move-from-{page}.md").read_text(encoding="utf-8")
    rows = text.partition(f"| {name} | here |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    assert rows, f"No table of {name}."
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return [(CODE.findall(theirs), here) for theirs, here in cells]


def import_other(module):
    """Another package: of the two that pull in much, or hold openai below 3, only where they are installed."""
    if module in {"langchain_google_vertexai", "langchain_litellm"}:
        return pytest.importorskip(module)
    return import_module(module)


def is_as_seen(page, module):
    """Whether the package is not older than the one that the page was written after, and has all that it lists."""
    name = module.replace("_", "-")
    text = (HOW_TO / f"move-from-{page}.md").read_text(encoding="utf-8")
    seen = re.search(rf"{name}\s+([\d.]+\d)", text)[1]
    return [int(part) for part in version(name).split(".")] >= [int(part) for part in seen.split(".")]


@pytest.mark.parametrize("name", CLASSES)
def test_the_arguments_of_the_page_exist_here(name):
    """`same` is a name that we take; any other that a cell leads with is one of ours, or a method."""
    page, _, tables = CLASSES[name]
    ours = _argument_names(ChatGeminiCompat)
    for theirs, here in (row for table in tables for row in read_table(page, table)):
        if here.startswith("same"):
            assert set(theirs) <= ours
        else:
            assert not set(theirs) & ours, here
        if here.startswith("`"):
            named = [code for code in CODE.findall(here.partition(";")[0]) if NAME.fullmatch(code)]
            unknown = [code for code in named if code not in ours and not hasattr(ChatGeminiCompat, code)]
            assert [code for code in unknown if code != "between_chunks"] == []


@pytest.mark.parametrize("name", CLASSES)
def test_the_arguments_of_the_page_are_those_of_the_other_class(name, monkeypatch):
    """All of them, by every name, and no others."""
    page, module, tables = CLASSES[name]
    # Otherwise its import waits for the network.
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    cls = getattr(import_other(module), name)
    fields = {key: field for key, field in cls.model_fields.items() if key not in BaseChatModel.model_fields}
    listed = {argument for table in tables for theirs, _ in read_table(page, table) for argument in theirs}
    known = set(fields) | {field.alias for field in fields.values() if field.alias}
    assert set(fields) <= listed
    if len(tables) == 1 and is_as_seen(page, module):
        assert listed <= known | {"thinking_level", "stop_sequences", "max_tokens"}


@pytest.mark.parametrize("name", ["ChatOpenAI", "ChatGoogleGenerativeAI", "ChatLiteLLM"])
def test_the_code_before_is_code_that_works(name, monkeypatch):
    """It makes a model of the other package."""
    page, module, _ = CLASSES[name]
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import_other(module)
    text = (HOW_TO / f"move-from-{page}.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```py\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    namespace = {}
    exec(compile(code, page, "exec"), namespace)
    assert isinstance(namespace["model"], getattr(import_module(module), name))

"""One conversation in several packages: a thread that one package saved continues in another."""

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
from langchain_gemini_compat._model.connection import _argument_names
from langchain_gemini_compat._signatures import SIGNATURES_KEY
from langchain_gemini_compat.errors import QuotaExhaustedError
from langchain_gemini_compat.testing import Call, FakeGemini, Fault, Reply

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
CONFIG = {"configurable": {"thread_id": "one"}}
QUESTION = {"messages": [("user", "Weather in Paris, then the time in Rome?")]}
ANSWER = "Paris is sunny, it is noon in Rome."
#: Each thread has three replies, in this order: `FIRST`, `SECOND` and `ANSWER`. A model of another package makes the
#: tool call `FIRST`. `SECOND` contains another tool call.
FIRST = {"name": "get_weather", "args": {"city": "Paris"}}
SECOND = Reply(thoughts="Rome now.", text="Paris is sunny.", calls=[Call("get_time", {"city": "Rome"})])


class OtherModel(FakeMessagesListChatModel):
    """A model of a package that is not installed. It returns a message in the form of that package."""

    def bind_tools(self, tools, **kwargs):
        return self


def other_model(provider, content="", call_id="call_1", **kwargs):
    """Return an `OtherModel` whose message has the first call."""
    calls = [{**FIRST, "id": call_id, "type": "tool_call"}]
    metadata = {"model_provider": provider, "model_name": "gemini-3.8-flash"}
    message = AIMessage(content, tool_calls=calls, response_metadata=metadata, additional_kwargs=kwargs)
    return OtherModel(responses=[message])


def begin_with_google_genai(surface):
    """Return a model of langchain-google-genai that begins a thread with a signed call."""
    parts = [{"functionCall": FIRST, "thoughtSignature": issue(surface, "get_weather")}]
    return NativeGoogle(surface, parts).chat_model()


def begin_with_openai(surface):
    """Return a model of langchain-openai that begins a thread with a call without a signature."""
    openai = import_module("langchain_openai")
    fake = FakeGemini([Call(**FIRST)], surface="openai_compatible")
    base_url = fake.connection()["base_url"]
    return openai.ChatOpenAI(model="gpt-5.2", base_url=base_url, api_key="test-key", http_client=fake.http_client)


def begin_with_anthropic(surface):
    """Return a model that begins a thread with a signed thought of Claude, a text, and a block with the call."""
    content = [
        {"type": "thinking", "thinking": "Paris first.", "signature": "RXJVQkNrUUlCeGdDSWtBPQ=="},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "toolu_01", "name": "get_weather", "input": {"city": "Paris"}},
    ]
    return other_model("anthropic", content, "toolu_01")


def begin_with_vertexai(surface):
    """Return a model that begins a thread with a signed call.

    As in langchain-google-genai, the message has a map from call ids to signatures.
    """
    return other_model("google_vertexai", **{SIGNATURES_KEY: {"call_1": issue(surface, "get_weather")}})


def begin_with_litellm(surface):
    """Return a model that begins a thread with a call whose id contains the signature."""
    return other_model("litellm", call_id=f"call_1__thought__{issue(surface, 'get_weather')}")


#: One thread for each model that makes the first tool call. The values are:
#: - a function that returns this model
#: - the provider of this model
#: - the surface on which the thread continues
#: - how many placeholder signatures `ChatGeminiCompat` sends
#: - how many placeholder signatures `ChatGoogleGenerativeAI` sends
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
    """Run a new agent on the thread in the database. Return all messages of the thread.

    With `stop`, the agent stops before it runs a tool. With `rewritten`, the history is first converted with
    `to_google_genai`.
    """
    with SqliteSaver.from_conn_string(str(database)) as saver:
        agent = create_agent(model, [get_weather, get_time], checkpointer=saver)
        if rewritten:
            messages = agent.get_state(CONFIG).values["messages"]
            stands_after = "model" if messages[-1].type == "ai" else "__start__"
            agent.update_state(CONFIG, {"messages": to_google_genai(messages)}, as_node=stands_after)
        return agent.invoke(given, CONFIG, interrupt_before=["tools"] if stop else None)["messages"]


@pytest.mark.parametrize("thread", THREADS)
def test_turn_of_another_package_continues_here(tmp_path, thread):
    """This package continues after another package's tool call. The call keeps its signature or gets a placeholder."""
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
def test_turn_continues_here_and_ends_in_google_genai(tmp_path, thread, rewritten):
    """Through langchain-google-genai, Google gets the signature of this package's call unchanged.

    If `to_google_genai` converted the history, Google also gets the thoughts.
    """
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
    """Return a context manager that expects an error if Google refuses the placeholder signatures of a request.

    `stand_ins` is the number of these signatures. langchain-google-genai before 4.4 changes them, so Google refuses the
    request.
    """
    if stand_ins and native_version() < (4, 4):
        error = import_module("langchain_google_genai.chat_models").GoogleInvalidRequestError
        return pytest.raises(error, match="Corrupted")
    return nullcontext()


def providers(messages):
    """Return the provider of each message of a model."""
    return [message.response_metadata["model_provider"] for message in messages if message.type == "ai"]


def thoughts_of(parts):
    """Return the texts of the thoughts."""
    return [part["text"] for part in parts if part.get("thought")]


@pytest.mark.parametrize("rewritten", [False, True], ids=["as it is", "rewritten"])
@pytest.mark.parametrize("surface", ["ai_studio", "vertex"])
def test_finished_thread_continues_in_google_genai(tmp_path, surface, rewritten):
    """The signature of a text is optional. It is sent only if the history was converted with `to_google_genai`."""
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


#: Threads in which one step fails, because the call of the model fails. The key names the step. The values are:
#: - the replies before this step
#: - the number of questions
#: - the types of the messages in the saved state
FAILED = {
    "at the first question": ([], 1, ["human"]),
    "at a later question": (["Sunny."], 2, ["human", "ai", "human"]),
    "at a result": ([Call(**FIRST)], 1, ["human", "ai", "tool"]),
    "at two results": ([[Call(**FIRST), Call(**FIRST)]], 1, ["human", "ai", "tool", "tool"]),
}


@pytest.mark.parametrize("place", FAILED)
def test_thread_after_a_failure_is_rewritten_and_answered(tmp_path, place):
    """No question is lost, no message is doubled, and the model runs next."""
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


def test_page_has_the_rewrite_of_the_tests():
    """The how-to guide has the lines of `step` that call `to_google_genai`, but with `config` instead of `CONFIG`."""
    lines = [line.strip() for line in getsource(step).splitlines() if "stands_after" in line]
    page = (HOW_TO / "move-from-chatgooglegenerativeai.md").read_text(encoding="utf-8")
    assert len(lines) == 2
    assert [line for line in lines if line.replace("CONFIG", "config") not in page] == []


def change_surfaces(rewritten):
    """Return a fake of the native Vertex AI, and a history with a tool call of a model on AI Studio."""
    fake = FakeGemini([SECOND], surface="ai_studio")
    reply = fake.chat_model().invoke("Time in Rome?")
    history = [("user", "Time in Rome?"), reply, {"role": "tool", "content": "noon", "tool_call_id": call_id(reply)}]
    if rewritten:
        history[1:2] = to_google_genai([reply], vertexai=True)
    return NativeGoogle("vertex", [{"text": ANSWER}]), history


def test_turn_that_changes_surfaces_gets_a_placeholder_if_the_surface_is_set():
    """A signature of AI Studio is replaced by the placeholder for Vertex AI."""
    native, history = change_surfaces(rewritten=True)
    with refused(1):
        assert native.chat_model().invoke(history).text == ANSWER
        assert native.stand_ins == 1


def test_turn_that_changes_surfaces_is_refused_if_the_surface_is_not_set():
    """A signature of AI Studio is an error on Vertex AI."""
    native, history = change_surfaces(rewritten=False)
    error = import_module("langchain_google_genai.chat_models").GoogleInvalidRequestError
    with pytest.raises(error, match="Corrupted"):
        native.chat_model().invoke(history)


def call_id(message):
    """Return the id of the only call."""
    return message.tool_calls[0]["id"]


#: The chat models of other packages. The values are:
#: - the how-to page
#: - the module
#: - the tables on the how-to page that list the arguments of the class
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
    """Return the rows of the table that lists the arguments of the class `name`.

    Each row has the names of some arguments, and the text that says what replaces them in this package.
    """
    text = (HOW_TO / f"move-from-{page}.md").read_text(encoding="utf-8")
    rows = text.partition(f"| {name} | here |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    assert rows, f"No table of {name}."
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return [(CODE.findall(theirs), here) for theirs, here in cells]


def import_other(module):
    """Return the imported module. Skip the test if an optional module is not installed."""
    if module in {"langchain_google_vertexai", "langchain_litellm"}:
        return pytest.importorskip(module)
    return import_module(module)


def is_as_seen(page, module):
    """Return whether the package has at least the version that the page describes, and all arguments of the page."""
    name = module.replace("_", "-")
    text = (HOW_TO / f"move-from-{page}.md").read_text(encoding="utf-8")
    seen = re.search(rf"{name}\s+([\d.]+\d)", text)[1]
    return [int(part) for part in version(name).split(".")] >= [int(part) for part in seen.split(".")]


@pytest.mark.parametrize("name", CLASSES)
def test_arguments_of_the_page_exist_in_this_package(name):
    """In the tables of the page, `same` means that this package has an argument with the same name.

    Any other name at the start of a cell is an argument or a method of this package.
    """
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
def test_page_has_all_arguments_of_the_other_class(name, monkeypatch):
    """The page lists every argument of the other class. It does not list arguments that the class does not have."""
    page, module, tables = CLASSES[name]
    # Without this variable, the import of LiteLLM downloads a list of prices.
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    cls = getattr(import_other(module), name)
    fields = {key: field for key, field in cls.model_fields.items() if key not in BaseChatModel.model_fields}
    listed = {argument for table in tables for theirs, _ in read_table(page, table) for argument in theirs}
    known = set(fields) | {field.alias for field in fields.values() if field.alias}
    assert set(fields) <= listed
    if len(tables) == 1 and is_as_seen(page, module):
        assert listed <= known | {"thinking_level", "stop_sequences", "max_tokens"}


@pytest.mark.parametrize("name", ["ChatOpenAI", "ChatGoogleGenerativeAI", "ChatLiteLLM"])
def test_code_before_the_move_works(name, monkeypatch):
    """Each guide on moving from another chat model has one block of code for that model. The block runs."""
    page, module, _ = CLASSES[name]
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import_other(module)
    text = (HOW_TO / f"move-from-{page}.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```py\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    namespace = {}
    exec(compile(code, page, "exec"), namespace)
    assert isinstance(namespace["model"], getattr(import_module(module), name))


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ({"model": "gemini/gemini-3.8-flash"}, "Leave the prefix out"),
        ({"model_kwargs": {"vertex_project": "p"}}, "`project`"),
        ({"model_kwargs": {"vertex_location": "eu"}}, "`location`"),
        ({"model_kwargs": {"vertex_credentials": "{}"}}, "`credentials`"),
    ],
)
def test_page_on_chatlitellm_says_what_raises(given, advice):
    """The error message gives the same advice as the how-to guide."""
    with pytest.raises(ValueError, match=advice):
        ChatGeminiCompat(**{"model": "gemini-3.8-flash", "api_key": "k", **given})


def test_page_on_chatlitellm_says_what_is_left_out(monkeypatch):
    """`thinking` is left out with a note. LiteLLM's variable `GEMINI_API_BASE` is not read."""
    monkeypatch.setenv("GEMINI_API_BASE", "http://gateway.test/v1")
    model = ChatGeminiCompat(model="gemini-2.5-flash", api_key="k", model_kwargs={"thinking": {"type": "enabled"}})
    body, notes = model.preview("hi")
    assert "thinking" not in body
    assert [note.message for note in notes] == ["`thinking` was left out: ai_studio does not take it."]
    assert model.endpoint_info()["base_url"].startswith("https://generativelanguage.googleapis.com/")

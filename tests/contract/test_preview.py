"""Tests `preview` of models with bound options, and that these models stay LangChain's runnables (field case D5)."""

import pickle
from itertools import product

import pytest
from langchain.agents import create_agent
from langchain_core.load import dumpd, load
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableBinding, RunnableSequence
from langchain_core.runnables.configurable import RunnableConfigurableAlternatives, RunnableConfigurableFields
from langchain_core.runnables.fallbacks import RunnableWithFallbacks
from pydantic import BaseModel

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.testing import FakeGemini, Fault


class City(BaseModel):
    """A city."""

    name: str


def get_weather(city: str) -> str:
    """Weather of a city."""
    return city


@pytest.fixture
def fake():
    return FakeGemini('{"name": "Oslo"}')


@pytest.fixture
def model(fake):
    return fake.chat_model("gemini-3.8-flash")


def names(body):
    return [tool["function"]["name"] for tool in body.get("tools", ())]


def bind_weather(model):
    """Return the options that `bind_tools` binds to the model."""
    return {"tools": model.bind_tools([get_weather]).kwargs["tools"]}


def set_temperature(model):
    chat = model.configurable_fields(temperature=ConfigurableField("temperature"))
    return chat.with_config(configurable={"temperature": 0.5})


#: Functions that bind the tool `get_weather` and `temperature=0.5` to a model, each in another way.
BOUND = {
    "bind_tools": lambda model: model.bind_tools([get_weather], temperature=0.5),
    "bind": lambda model: model.bind(tools=model.bind_tools([get_weather]).kwargs["tools"], temperature=0.5),
    "bind twice": lambda model: model.bind_tools([get_weather]).bind(temperature=0.5),
    "with_config": lambda model: model.bind_tools([get_weather], temperature=0.5).with_config(tags=["a"]),
    "with_config first": lambda model: model.with_config(tags=["a"]).bind(
        temperature=0.5, tools=model.bind_tools([get_weather]).kwargs["tools"]
    ),
    "with_retry": lambda model: model.bind_tools([get_weather], temperature=0.5).with_retry(),
    "with_retry first": lambda model: model.with_retry().bind(
        temperature=0.5, tools=model.bind_tools([get_weather]).kwargs["tools"]
    ),
    "with_fallbacks": lambda model: model.bind_tools([get_weather], temperature=0.5).with_fallbacks([model]),
    "with_fallbacks first": lambda model: model.with_fallbacks([model]).bind_tools([get_weather], temperature=0.5),
    "with_listeners": lambda model: model.bind_tools([get_weather], temperature=0.5).with_listeners(),
    "with_types": lambda model: model.bind_tools([get_weather], temperature=0.5).with_types(input_type=str),
    "with_listeners first": lambda model: model.with_listeners().bind_tools([get_weather], temperature=0.5),
    "with_alisteners first": lambda model: model.with_alisteners().bind_tools([get_weather], temperature=0.5),
    "with_types first": lambda model: model.with_types(input_type=str).bind_tools([get_weather], temperature=0.5),
    "configurable_fields first": lambda model: set_temperature(model).bind(**bind_weather(model)),
    "configurable_fields with listeners": lambda model: (
        set_temperature(model).with_listeners().bind(**bind_weather(model))
    ),
    "configurable_fields with alisteners": lambda model: (
        set_temperature(model).with_alisteners().bind(**bind_weather(model))
    ),
    "configurable_fields with types": lambda model: (
        set_temperature(model).with_types(input_type=str).bind(**bind_weather(model))
    ),
}


@pytest.mark.parametrize("case", BOUND)
def test_d5_preview_shows_what_invoke_sends(case, fake, model):
    bound = BOUND[case](model)
    body, _ = bound.preview("hi")
    assert (names(body), body["temperature"]) == (["get_weather"], 0.5)
    assert fake.requests == []
    bound.invoke("hi")
    assert fake.requests[0].body == body


#: Functions that build a runnable from a model. The functions in `WRAPPERS` wrap this runnable.
STARTS = {
    "model": lambda model: model,
    "bound model": lambda model: model.bind(stop=["END"], temperature=0.5),
    "tools": lambda model: model.bind_tools([get_weather]),
    "structured output": lambda model: model.with_structured_output(City),
    "configurable fields": set_temperature,
    "configurable alternatives": lambda model: model.configurable_alternatives(ConfigurableField("one"), other=model),
    "fallbacks": lambda model: model.bind(temperature=0.5).with_fallbacks([model]),
}
WRAPPERS = {
    "bind": lambda inner: inner.bind(top_p=0.3),
    "with_config": lambda inner: inner.with_config(tags=["a"]),
    "with_retry": lambda inner: inner.with_retry(),
    "with_fallbacks": lambda inner: inner.with_fallbacks([inner]),
    "with_listeners": lambda inner: inner.with_listeners(),
    "with_alisteners": lambda inner: inner.with_alisteners(),
    "with_types": lambda inner: inner.with_types(input_type=str),
    "configurable_alternatives": lambda inner: inner.configurable_alternatives(ConfigurableField("two"), other=inner),
}


@pytest.mark.parametrize("start", STARTS)
def test_d5_preview_shows_what_is_bound_through_any_two_wrappers(start, fake, model):
    """A runnable still has `preview` after any two methods that wrap it, such as `bind` and then `with_retry`."""
    wrong = []
    for first, second in product(WRAPPERS, WRAPPERS):
        bound = WRAPPERS[second](WRAPPERS[first](STARTS[start](model))).bind(max_tokens=7777)
        body, _ = bound.preview("hi")
        fake.answer_with('{"name": "Oslo"}')
        bound.invoke("hi")
        if fake.requests[-1].body != body or body["max_tokens"] != 7777:
            wrong.append((first, second))
    assert wrong == []


def test_tools_are_bound_to_each_model_with_the_options_before(fake, model):
    """`bind_tools` keeps the options that were bound to a model and its fallback, and binds the tools to both."""
    down = FakeGemini(Fault.internal()).chat_model(max_retries=0)
    bound = down.with_fallbacks([model]).bind(temperature=0.5).bind_tools([get_weather])
    bound.invoke("hi")
    assert (names(fake.requests[0].body), fake.requests[0].body["temperature"]) == (["get_weather"], 0.5)
    assert bound.preview("hi")[0]["temperature"] == 0.5


#: Maps a class of LangChain's runnables to a function that builds an instance from a model.
LANGCHAIN = {
    RunnableWithFallbacks: lambda model: model.with_fallbacks([model]),
    RunnableConfigurableFields: set_temperature,
    RunnableConfigurableAlternatives: lambda model: model.configurable_alternatives(ConfigurableField("a"), b=model),
}


@pytest.mark.parametrize("cls", LANGCHAIN, ids=lambda cls: cls.__name__)
def test_runnable_around_a_model_is_langchains(cls, model):
    """The runnable is an instance of LangChain's class. It is serialized and traced with the name of this class."""
    built = LANGCHAIN[cls](model)
    assert isinstance(built, cls)
    assert dumpd(built)["id"][-1] == built.get_name() == cls.__name__


def test_options_of_the_call_override_bound_options(model):
    body, _ = model.bind_tools([get_weather], temperature=0.5).preview("hi", temperature=0.1, stream=True)
    assert (body["temperature"], body["stream"]) == (0.1, True)


#: Functions that build a runnable from the result of `with_structured_output`.
STRUCTURED = {
    "plain": lambda chain: chain,
    "with_config": lambda chain: chain.with_config(tags=["a"]),
    "with_retry": lambda chain: chain.with_retry(),
    "with_fallbacks": lambda chain: chain.with_fallbacks([chain]),
}


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize("include_raw", [False, True])
@pytest.mark.parametrize("case", STRUCTURED)
def test_d5_structured_output_shows_its_request(case, include_raw, method, fake, model):
    if method == "function_calling":
        fake = FakeGemini(lambda request: '{"name": "Oslo"}')
        model = fake.chat_model("gemini-3.8-flash")
    chain = STRUCTURED[case](model.with_structured_output(City, method=method, include_raw=include_raw))
    body, notes = chain.preview("hi")
    assert names(body) == (["City"] if method == "function_calling" else [])
    assert ("response_format" in body) == (method != "function_calling")
    assert "ls_structured_output_format" not in str((body, notes))
    if method != "function_calling":
        chain.invoke("hi")
        assert fake.requests[0].body == body


def test_configured_model_shows_its_request(model):
    chat = model.configurable_fields(temperature=ConfigurableField("temperature"))
    body, _ = chat.with_config(configurable={"temperature": 0.3}).preview("hi")
    assert body["temperature"] == 0.3


#: Functions that apply `config` to a chat model, each in another way. The config sets the temperature and the model.
CONFIGURED = {
    "bind, then config": lambda chat, config: chat.bind(top_p=0.3).with_config(config),
    "config, then bind": lambda chat, config: chat.with_config(config).bind(top_p=0.3),
    "two configs": lambda chat, config: (
        chat.with_config(configurable={"model": "gemini-2.5-pro"}).bind(top_p=0.3).with_config(config)
    ),
    "two bindings": lambda chat, config: (
        chat.bind(top_p=0.3).with_config(configurable={"model": "gemini-2.5-pro"}).with_config(config)
    ),
    "config, then retry": lambda chat, config: chat.bind(top_p=0.3).with_config(config).with_retry(),
    "config after tools": lambda chat, config: chat.bind(**bind_weather(chat)).with_config(config),
}


@pytest.mark.parametrize("case", CONFIGURED)
def test_preview_follows_the_config_of_bindings(case, fake, model):
    """`run_bulk` finds earlier answers by the body of `preview`, so this body must be the one that is sent."""
    chat = model.configurable_fields(
        temperature=ConfigurableField("temperature"), model_name=ConfigurableField("model")
    )
    bound = CONFIGURED[case](chat, {"configurable": {"temperature": 0.5, "model": "gemini-2.5-flash"}})
    body, _ = bound.preview("hi")
    assert (body["model"], body["temperature"]) == ("gemini-2.5-flash", 0.5)
    bound.invoke("hi")
    assert fake.requests[0].body == body


def test_preview_follows_the_config_of_a_choice_of_runnables(fake, model):
    other = model.with_structured_output(City)
    choice = model.configurable_alternatives(ConfigurableField("answer"), default_key="text", city=other)
    bound = choice.bind(top_p=0.3).with_config(configurable={"answer": "city"})
    body, _ = bound.preview("hi")
    assert "response_format" in body
    bound.invoke("hi")
    assert fake.requests[0].body == body


def test_configurable_model_has_the_fields_of_its_config(model):
    chat = model.configurable_fields(temperature=ConfigurableField("temperature"))
    assert [spec.id for spec in chat.config_specs] == ["temperature"]


def test_listeners_of_a_model_are_called(fake, model):
    ended = []
    model.with_listeners(on_end=lambda run: ended.append(run.run_type)).bind(temperature=0.5).invoke("hi")
    assert ended == ["chat_model"]
    assert fake.requests[0].body["temperature"] == 0.5


def test_binding_is_langchains_binding(model):
    """A bound model is a `RunnableBinding` with `bound`, `kwargs` and `config`, as LangChain and LangGraph expect."""
    bound = model.bind_tools([get_weather]).with_config(tags=["a"])
    assert isinstance(bound, RunnableBinding)
    assert (bound.bound, bound.config["tags"], [*bound.kwargs]) == (model, ["a"], ["tools"])
    chain = model.with_structured_output(City)
    assert isinstance(chain, RunnableSequence)
    assert isinstance(chain.first, RunnableBinding)
    assert chain.get_name() == (chain.first | chain.last).get_name() == "RunnableSequence"
    assert (chain | str).steps[:2] == chain.steps
    assert bound.model_name == "gemini-3.8-flash"


def test_binding_is_serialized_as_langchains_binding(model):
    bound, chain = model.bind_tools([get_weather]), model.with_structured_output(City)
    assert dumpd(bound) == dumpd(RunnableBinding(bound=model, kwargs=bound.kwargs))
    assert dumpd(bound)["id"][-1] == "RunnableBinding"
    assert dumpd(chain)["id"][-1] == "RunnableSequence"
    allowed = {"allowed_objects": [RunnableBinding, ChatGeminiCompat], "valid_namespaces": ["langchain_gemini_compat"]}
    loaded = load(dumpd(bound), secrets_map={"GOOGLE_API_KEY": "k", "GEMINI_API_KEY": "k"}, **allowed)
    assert type(loaded) is RunnableBinding
    assert loaded.kwargs == bound.kwargs


def test_binding_can_be_pickled():
    model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k")
    bound = model.bind_tools([get_weather], tool_choice="any")
    again = pickle.loads(pickle.dumps(bound))
    assert again.preview("hi") == bound.preview("hi")
    chain = model.with_structured_output(City)
    assert pickle.loads(pickle.dumps(chain)).preview("hi") == chain.preview("hi")


def test_step_of_a_chain_shows_its_request(model):
    prompt = ChatPromptTemplate.from_messages([("human", "Weather in {city}?")])
    chain = prompt | model.bind_tools([get_weather])
    body, _ = chain.last.preview(prompt.invoke({"city": "Oslo"}))
    assert names(body) == ["get_weather"]
    assert body["messages"][-1]["content"] == "Weather in Oslo?"


@pytest.mark.parametrize(
    "bind",
    [
        lambda chain: chain.bind(stop=["END"]),
        lambda chain: chain.with_retry().bind(stop=["END"]),
        lambda chain: chain.bind(stop=["END"]).with_config(tags=["a"]),
    ],
    ids=["bind", "retry", "config"],
)
def test_preview_of_structured_output_shows_what_is_bound(bind, fake, model):
    chain = bind(model.with_structured_output(City))
    assert chain.invoke("hi") == City(name="Oslo")
    assert chain.preview("hi")[0] == fake.requests[-1].body
    assert fake.requests[-1].body["stop"] == ["END"]


def test_bound_options_stay_when_tools_or_a_schema_are_bound():
    """`bind_tools` and `with_structured_output` keep options that were bound before.

    LangChain's own binding would lose these options, because it calls both methods of the unbound model.
    """
    fake = FakeGemini(
        lambda request: '{"name": "Oslo"}' if "response_format" in request.body else "Sunny.", surface="vertex"
    )
    bound = fake.chat_model().bind(temperature=0.3, seed=9).with_config(tags=["a"])
    with_tools = bound.bind_tools([get_weather], seed=7)
    assert with_tools.config["tags"] == ["a"]
    assert with_tools.kwargs.keys() >= {"tools", "temperature"}
    with_tools.invoke("hi")
    with_tools.bind_tools([]).with_structured_output(City).invoke("hi")
    create_agent(bound, [get_weather]).invoke({"messages": "hi"})
    sent = [(body["temperature"], body["seed"], "tools" in body) for body in (one.body for one in fake.requests)]
    assert sent == [(0.3, 7, True), (0.3, 7, False), (0.3, 9, True)]

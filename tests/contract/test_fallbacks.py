"""Models with fallbacks: what LangChain passes to each model, with tools, structured output and agents."""

from functools import reduce
from operator import add

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelFallbackMiddleware
from langchain_core.messages import HumanMessage
from langchain_core.runnables.fallbacks import RunnableWithFallbacks
from pydantic import BaseModel

from langchain_gemini_compat.testing import Call, FakeGemini, Fault


class City(BaseModel):
    """A city."""

    name: str


def weather(city: str) -> str:
    """Weather of a city."""
    return f"Sunny in {city}."


def failing_and_working(*replies):
    """Return a model that fails, a model that works, and the fake endpoint of the working model."""
    down, up = FakeGemini(Fault.internal()), FakeGemini(list(replies))
    return down.chat_model(max_retries=0), up.chat_model(), up


async def test_fallback_models_take_tools():
    """`bind_tools` binds the tools to each model. The test uses sync, async and streaming calls. Field case D1."""
    first, second, fake = failing_and_working(*[Call("weather", {"city": "Paris"})] * 4)
    model = first.with_fallbacks([second]).bind_tools([weather], tool_choice="any")
    assert isinstance(model, RunnableWithFallbacks)
    replies = [model.invoke("hi"), await model.ainvoke("hi")]
    replies += [reduce(add, model.stream("hi")), reduce(add, [chunk async for chunk in model.astream("hi")])]
    assert [reply.tool_calls[0]["args"] for reply in replies] == [{"city": "Paris"}] * 4
    assert fake.requests[0].tools[0]["function"]["name"] == "weather"


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
async def test_fallback_models_give_structured_output(method):
    """`with_structured_output` reaches each model. Field case D1."""
    reply = Call("City", {"name": "Paris"}) if method == "function_calling" else '{"name": "Paris"}'
    first, second, _ = failing_and_working(reply, reply)
    model = first.with_fallbacks([second]).with_structured_output(City, method=method)
    assert model.invoke("hi") == City(name="Paris")
    assert await model.ainvoke("hi") == City(name="Paris")


@pytest.mark.parametrize("way", ["with_fallbacks", "middleware"])
async def test_agent_with_a_fallback_model_runs(way):
    """The fallback is added by `with_fallbacks` or by LangChain's middleware. Field case D1."""
    first, second, _ = failing_and_working(*[Call("weather", {"city": "Paris"}), "Sunny."] * 2)
    if way == "with_fallbacks":
        agent = create_agent(first.with_fallbacks([second]), tools=[weather])
    else:
        agent = create_agent(first, tools=[weather], middleware=[ModelFallbackMiddleware(second)])
    ask = {"messages": [("user", "Weather in Paris?")]}
    assert agent.invoke(ask)["messages"][-1].text == "Sunny."
    assert (await agent.ainvoke(ask))["messages"][-1].text == "Sunny."


def test_fallback_models_answer_other_public_methods():
    """A model with fallbacks passes methods such as `preview` on to the first model. Field case D1.

    LangChain reads the type hints of such a method first. Before Python 3.11, LangChain fails on a return type such as
    `dict[str, str]`, because it takes this type for a class.
    """
    first, second, _ = failing_and_working("hi")
    model = first.with_fallbacks([second])
    payload, _ = model.preview("hi")
    assert payload["messages"] == [{"role": "user", "content": "hi"}]
    assert model.endpoint_info()["surface"] == "ai_studio"
    assert model.get_num_tokens("hello") > 0
    assert model.model_name == first.model_name


def test_fallback_model_has_the_methods_of_langchain_whose_hints_cannot_be_read():
    """The type hints of the method `generate` cannot be evaluated. Field case D1.

    These hints name a module that LangChain imports only for type checkers.
    """
    model = FakeGemini("hi").chat_model()
    result = model.with_fallbacks([model]).generate([[HumanMessage("hi")]])
    assert result.generations[0][0].text == "hi"
    with pytest.raises(AttributeError, match="no_such_method"):
        model.with_fallbacks([model]).no_such_method()

"""An agent with two steps on the fake endpoint: a call, its result, another call, its result, the answer."""

from langchain.agents import create_agent

from langchain_gemini_compat.testing import Call, FakeGemini, Reply

SCRIPT = [
    Reply(thoughts="Paris first.", calls=[Call("get_weather", {"city": "Paris"})]),
    Reply(calls=[Call("get_weather", {"city": "Rome"}), Call("get_time", {"city": "Rome"})]),
    Reply(text="Paris is sunny, Rome is sunny at noon."),
]


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"sunny in {city}"


def get_time(city: str) -> str:
    """Local time of a city."""
    return f"noon in {city}"


def build(surface="vertex", replies=SCRIPT, checkpointer=None, **kwargs):
    """Return the fake endpoint and an agent that uses it."""
    fake = FakeGemini(list(replies), surface=surface)
    model = fake.chat_model("gemini-3.8-flash", **kwargs)
    return fake, create_agent(model, [get_weather, get_time], checkpointer=checkpointer)

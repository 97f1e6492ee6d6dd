"""Uses every public name with its types, as users do. mypy and pyright check this file. It is never run."""

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from pydantic import BaseModel, SecretStr

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat.testing import Call, FakeGemini, FakeRequest, Reply


class Answer(BaseModel):
    """A schema."""

    value: int


@dataclass
class Point:
    """A schema."""

    x: int


def get_weather(city: str) -> str:
    """Weather of a city."""
    return city


async def token() -> str:
    """A token."""
    return "t"


def rule(request: FakeRequest) -> Reply:
    """A rule for the fake endpoint."""
    return Reply(text=request.prompt, calls=[Call("get_weather", {"city": "Paris"})])


async def everything() -> None:
    """Use each public name once."""
    models: Sequence[ChatGeminiCompat] = (
        ChatGeminiCompat(model="gemini-3.8-flash", project="p", location="global"),
        ChatGeminiCompat(model="gemini-3.8-flash", api_key=SecretStr("k")),
        ChatGeminiCompat(model="gemini-3.8-flash", api_key=token, base_url="https://gateway.example/v1beta/openai"),
        FakeGemini(rule, surface="vertex").chat_model("gemini-3.8-flash"),
    )
    model = models[0]
    message: AIMessage = model.invoke("hi")
    answer: AIMessage = await model.ainvoke("hi")
    with_tools = model.bind_tools([get_weather, Point], tool_choice="any")
    bound: Runnable[LanguageModelInput, AIMessage] = with_tools
    structured = model.with_structured_output(Answer, method="json_schema", include_raw=True)
    body, notes = model.preview("hi")
    body, notes = with_tools.preview("hi")
    body, notes = structured.preview("hi", temperature=0)
    print(message.text, answer.text, bound, structured, body, [note.message for note in notes], model.endpoint_info())
    try:
        bound.invoke("hi")
    except errors.RateLimitError as err:
        print(err.retry_after, err.quota_id, err.is_retryable)
    except errors.TruncatedStreamError as err:
        print(err.partial)
    except errors.UnusableReplyError as err:
        print(err.reply)

"""`with_structured_output`: a schema to a bound model and a parser that never gives `None` unasked."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, cast

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.output_parsers.transform import BaseCumulativeTransformOutputParser
from langchain_core.runnables import RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from langchain_gemini_compat._tools import format_response_schema, format_tool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.language_models import LanguageModelInput
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.output_parsers.base import OutputParserLike
    from langchain_core.outputs import Generation
    from langchain_core.runnables import Runnable

Method = Literal["json_schema", "function_calling", "json_mode"]


def build_structured_output(
    model: BaseChatModel,
    schema: dict[str, Any] | type | None,
    *,
    method: Method,
    include_raw: bool,
    tools: Sequence[Any] | None,
    strict: bool | None,
    options: Mapping[str, Any],
) -> Runnable[LanguageModelInput, Any]:
    """The chain; raises `ValueError` for an unknown `method` or a missing `schema`."""
    if schema is None and method != "json_mode":
        raise ValueError(f"`schema` is needed for method {method!r}. Pass a pydantic class, TypedDict or JSON schema.")
    bound, parser = _build_parts(schema, method)
    if schema is not None:
        kwargs = {"method": method, **({} if strict is None else {"strict": strict})}
        bound["ls_structured_output_format"] = {"kwargs": kwargs, "schema": convert_to_json_schema(schema)}
    if tools:
        bound["tools"] = [*bound.get("tools", ()), *(format_tool(tool) for tool in tools)]
    llm = cast("Runnable[LanguageModelInput, Any]", model.bind(**bound, **options))
    if not include_raw:
        return llm | parser
    parse = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    fail = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=llm) | parse.with_fallbacks([fail], exception_key="parsing_error")


def _build_parts(schema: dict[str, Any] | type | None, method: Method) -> tuple[dict[str, Any], OutputParserLike[Any]]:
    if method == "function_calling":
        tool = convert_to_openai_tool(cast("type", schema))
        name: str = tool["function"]["name"]
        return {"tools": [tool], "tool_choice": name}, _call_parser(schema, name)
    if method == "json_mode":
        return {"response_format": {"type": "json_object"}}, _text_parser(schema)
    if method == "json_schema":
        return {"response_format": format_response_schema(schema)}, _text_parser(schema)
    raise ValueError(f"Unknown method {method!r}. Use 'json_schema', 'function_calling' or 'json_mode'.")


def _text_parser(schema: object) -> OutputParserLike[Any]:
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return _PydanticTextParser(pydantic_object=schema)
    return _JsonTextParser()


def _call_parser(schema: object, name: str) -> OutputParserLike[Any]:
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return _PydanticCallParser(tools=[schema], first_tool_only=True, expected_call=name)
    return _JsonCallParser(key_name=name, first_tool_only=True, expected_call=name)


class _AnswerParser(BaseCumulativeTransformOutputParser[Any]):
    """A parser that looks at how the reply ended first: LangChain's mend cut JSON and answer `None` for no call."""

    expected_call: str = ""
    """The function whose arguments are the answer; empty where the text is."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        message = getattr(result[0], "message", None)
        if isinstance(message, AIMessage) and not (partial and "finish_reason" not in message.response_metadata):
            self._check_ending(message)
        return super().parse_result(result, partial=partial)

    def _check_ending(self, message: AIMessage) -> None:
        usage, ending = message.usage_metadata, message.response_metadata
        reason = ending.get("finish_reason")
        native = ending.get("native_finish_reason", reason)
        spent = f"{usage['output_tokens']} output tokens spent" if usage else "usage unknown"
        refusal = message.additional_kwargs.get("refusal")
        if refusal:
            said = f"The model refused: {str(refusal)[:500]!r}. Asking again gives the same; change the prompt."
        elif reason == "content_filter":
            said = "A filter stopped the answer. Asking again gives the same; change the prompt."
        elif reason == "length":
            said = "The answer was cut off before its end. Raise `max_tokens`, or ask for less."
        elif message.tool_calls and self.expected_call not in (names := [call["name"] for call in message.tool_calls]):
            called = ", ".join(names)
            said = f"The model called {called} instead of answering. With `include_raw=True` the call is in `raw`."
        elif self.expected_call and not message.tool_calls:
            said = "The model answered without the call that was forced. Ask again, or use method='json_schema'."
        else:
            return
        text = f"{said} Finish reason {native!r}, {spent}; its text: {message.text[:500]!r}."
        raise OutputParserException(text, llm_output=message.text)


class _JsonTextParser(_AnswerParser, JsonOutputParser):
    pass


class _PydanticTextParser(_AnswerParser, PydanticOutputParser[Any]):
    pass


class _JsonCallParser(_AnswerParser, JsonOutputKeyToolsParser):
    pass


class _PydanticCallParser(_AnswerParser, PydanticToolsParser):
    pass

"""`with_structured_output`: a schema to a bound model and a parser that never gives `None` unasked."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, cast

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import RunnableLambda, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from langchain_gemini_compat._tools import format_response_schema, format_tool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.language_models import LanguageModelInput
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.output_parsers.base import OutputParserLike
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
        return {"tools": [tool], "tool_choice": name}, _CALL_GUARD | _call_parser(schema, name)
    if method == "json_mode":
        return {"response_format": {"type": "json_object"}}, _text_parser(schema)
    if method == "json_schema":
        return {"response_format": format_response_schema(schema)}, _text_parser(schema)
    raise ValueError(f"Unknown method {method!r}. Use 'json_schema', 'function_calling' or 'json_mode'.")


def _text_parser(schema: object) -> OutputParserLike[Any]:
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return PydanticOutputParser(pydantic_object=schema)
    return JsonOutputParser()


def _call_parser(schema: object, name: str) -> OutputParserLike[Any]:
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return PydanticToolsParser(tools=[schema], first_tool_only=True)
    return JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)


def _require_call(message: object) -> object:
    if isinstance(message, AIMessage) and not message.tool_calls:
        reason = message.response_metadata.get("finish_reason")
        raise OutputParserException(
            f"The model answered without the call that was forced (finish reason {reason!r}). Its text: "
            f"{message.text[:500]!r}. Ask again, or use method='json_schema'.",
            llm_output=message.text,
        )
    return message


_CALL_GUARD: RunnableLambda[Any, Any] = RunnableLambda(_require_call)

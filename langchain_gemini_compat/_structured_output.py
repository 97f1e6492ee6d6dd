"""`with_structured_output`: a schema to a bound model and a parser that never gives `None` unasked.

Its one rule: a stream ends as a call does, with the whole object or with the error that says why there is none.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal, cast

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser
from langchain_core.output_parsers.transform import BaseCumulativeTransformOutputParser
from langchain_core.outputs import ChatGeneration
from langchain_core.runnables import AddableDict, RunnableGenerator
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel, ValidationError

from langchain_gemini_compat._catalog.models import family_of
from langchain_gemini_compat._request.tools import (
    format_response_schema,
    format_tool,
    is_google_tool,
    read_schema,
    set_strict,
)
from langchain_gemini_compat._response.block_translator import describe_refusal
from langchain_gemini_compat._response.json_answers import read_answers, read_partial_answer
from langchain_gemini_compat._schema.arguments import repair_arguments, satisfies
from langchain_gemini_compat._schema.functions import compile_parameters
from langchain_gemini_compat.errors import ModelRefusalError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from langchain_core.language_models import LanguageModelInput
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.outputs import Generation
    from langchain_core.runnables import Runnable

    from langchain_gemini_compat._request.tools import NamedSchema
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: A validator of the caller's schema may raise what it likes; what a broken connection raises is none of these.
_PARSING_ERRORS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_REFERENCES = ("$ref", "$recursiveRef", "$dynamicRef")
#: Levels of a schema in which references are moved.
_DEEPEST = 200
#: The one argument of a call whose answer is no object with members of its own.
_ANSWER = "answer"
#: Characters of generic class names, such as `Box[int]`, that function names may not have.
_UNUSUAL = re.compile(r"[\[\], ]")
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
    """The chain; raises `ValueError` for an unknown `method` or a missing `schema`.

    Before Gemini 3 JSON beside functions is a 400 (https://github.com/googleapis/python-genai/issues/867): with
    `tools`, such a model gets the schema as one more of them.
    """
    if schema is None and method != "json_mode":
        raise ValueError(f"`schema` is needed for method {method!r}. Pass a pydantic class, TypedDict or JSON schema.")
    beside = [format_tool(tool) for tool in tools or ()]
    name = str(options.get("model") or getattr(model, "model_name", ""))
    if schema is not None and not all(map(is_google_tool, beside)) and not family_of(name).takes_json_beside_functions:
        method = "function_calling"
    named = None if schema is None else read_schema(schema)
    bound, parser = _build_parts(schema, named, method, strict)
    if named is not None:
        kwargs = {"method": method, **({} if strict is None else {"strict": strict})}
        bound["ls_structured_output_format"] = {"kwargs": kwargs, "schema": _describe(named)}
    if beside:
        bound["tools"] = [*bound.get("tools", ()), *beside]
    if beside and method == "function_calling":
        # By its name the schema alone would go out.
        bound["tool_choice"] = "any"
    llm = cast("Runnable[LanguageModelInput, Any]", model.bind(**bound, **options))
    return llm | (_parse_beside_raw(parser) if include_raw else parser)


def _describe(named: NamedSchema) -> JsonObject:
    """The schema with its name and its description in it."""
    description: JsonObject = {"description": named.description} if named.description else {}
    return {"title": named.name, **description, **named.schema}


def _build_parts(
    schema: dict[str, Any] | type | None, named: NamedSchema | None, method: Method, strict: JsonValue
) -> tuple[dict[str, Any], _AnswerParser]:
    answer_class = schema if isinstance(schema, type) and is_basemodel_subclass(schema) else None
    if method == "function_calling" and named is not None:
        bound, parser = _build_call(named, answer_class)
        return {**bound, "tools": [set_strict(tool, strict) for tool in bound["tools"]]}, parser
    answer_schema = None if named is None else named.schema
    text_parser = _TextParser(answer_schema=answer_schema, answer_class=answer_class)
    if method == "json_mode":
        return {"response_format": {"type": "json_object"}}, text_parser
    if method == "json_schema":
        return {"response_format": set_strict(format_response_schema(schema), strict)}, text_parser
    raise ValueError(f"Unknown method {method!r}. Use 'json_schema', 'function_calling' or 'json_mode'.")


def _build_call(named: NamedSchema, answer_class: type | None) -> tuple[dict[str, Any], _AnswerParser]:
    """The schema as a forced tool. Its arguments are an object with named members, so another schema gets one."""
    compiled, losses = compile_parameters(named.schema)
    member = _ANSWER if compiled is None and losses else ""
    parameters = _wrap(named.schema) if member else named.schema
    # Servers such as MLflow refuse a function without `description`.
    name = _UNUSUAL.sub("_", named.name)
    tool: JsonObject = {"name": name, "description": named.description, "parameters": parameters}
    parser = _CallParser(
        key_name=name,
        first_tool_only=True,
        expected_call=name,
        answer_schema=named.schema,
        answer_class=answer_class,
        member=member,
    )
    return {"tools": [{"type": "function", "function": tool}], "tool_choice": name}, parser


def _wrap(schema: JsonObject) -> JsonObject:
    """An object whose one member is what `schema` describes."""
    inner = _move_references(schema, f"#/properties/{_ANSWER}")
    return {"type": "object", "properties": {_ANSWER: inner}, "required": [_ANSWER]}


def _move_references(value: JsonValue, to: str, moved: dict[int, JsonValue] | None = None, depth: int = 0) -> JsonValue:
    """`value` as it reads with its root at the pointer `to`.

    A schema may contain itself; `moved` are the parts that are already written, by their `id`. What is too deep to be
    compiled stays as it is.
    """
    moved = {} if moved is None else moved
    if not isinstance(value, (dict, list)) or depth > _DEEPEST:
        return value
    if id(value) in moved:
        return moved[id(value)]
    if isinstance(value, list):
        items: list[JsonValue] = []
        moved[id(value)] = items
        items.extend(_move_references(item, to, moved, depth + 1) for item in value)
        return items
    parts: JsonObject = {}
    moved[id(value)] = parts
    for key, inner in value.items():
        is_local = key in _REFERENCES and isinstance(inner, str) and (inner == "#" or inner.startswith("#/"))
        parts[key] = f"{to}{cast('str', inner)[1:]}" if is_local else _move_references(inner, to, moved, depth + 1)
    return parts


def _repair(schema: JsonObject, answer: JsonValue) -> JsonValue:
    """The answer as `schema` asks for it, where that is certain."""
    return repair_arguments(_wrap(schema), {_ANSWER: answer})[0][_ANSWER]


class _AnswerParser(BaseCumulativeTransformOutputParser[Any]):
    """A parser that looks at how the reply ended first: LangChain's mend cut JSON and answer `None` for no call."""

    expected_call: str = ""
    """The function whose arguments are the answer; empty where the text is."""
    answer_schema: dict[str, Any] | None = None
    """What the answer has to satisfy."""
    answer_class: type | None = None
    """The pydantic class of the answer, where there is one; its word counts, not that of the schema."""
    member: str = ""
    """The argument that holds the answer, where not all of them do."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        message = getattr(result[0], "message", None)
        if isinstance(message, AIMessage):
            # What is broken at the end of a stream is no part of something.
            partial = partial and "finish_reason" not in message.response_metadata
            if not partial:
                self._check_ending(message)
                return self._parse_whole(result, message)
            if message.additional_kwargs.get("refusal"):
                return None
        answer = self._unwrap(self._read(result, partial=partial))
        if self.answer_class is None or answer is None:
            return answer
        try:
            return _validate(self.answer_class, answer)
        except _PARSING_ERRORS:
            if partial:
                return None
            raise

    def _read(self, result: list[Generation], *, partial: bool) -> Any:
        """Return the answer as JSON; `None` while no part of it can be read."""
        return super().parse_result(result, partial=partial)

    def _unwrap(self, answer: Any) -> Any:
        return answer.get(self.member) if self.member and isinstance(answer, dict) else answer

    def _parse_whole(self, result: list[Generation], message: AIMessage) -> Any:
        """The answer, or an error: LangChain completes cut JSON, and lets pass what satisfies no schema."""
        answer = self._unwrap(self._read(result, partial=False))
        if self.answer_class is not None:
            return self._build_instance(self.answer_class, answer, message)
        if self.answer_schema is None:
            return answer
        answer = _repair(self.answer_schema, answer)
        if not satisfies(self.answer_schema, answer):
            raise _no_answer("The answer does not satisfy the schema. Ask again, or simplify it.", message)
        return answer

    def _build_instance(self, answer_class: type, answer: JsonValue, message: AIMessage) -> Any:
        """What the class takes as it is stays so; only what it refuses is mended."""
        try:
            return _validate(answer_class, answer)
        except ValueError as err:
            mended = _repair(self.answer_schema or {}, answer)
            fault = err
        try:
            return _validate(answer_class, mended)
        except ValueError:
            text = f"The answer does not fit {answer_class.__name__} ({_first_fault(fault)})."
            raise _no_answer(f"{text} Ask again, or simplify the schema.", message) from fault

    def _check_ending(self, message: AIMessage) -> None:
        refusal = describe_refusal(message)
        if refusal:
            said = f"The model gave no answer: {refusal[:500]} Asking again gives the same; change the prompt."
            raise ModelRefusalError(said, raw_message=message)
        if message.response_metadata.get("finish_reason") == "length":
            said = "The answer was cut off before its end. Raise `max_tokens`, or ask for less."
        elif message.tool_calls and self.expected_call not in (names := [call["name"] for call in message.tool_calls]):
            called = ", ".join(names)
            said = f"The model called {called} instead of answering. With `include_raw=True` the call is in `raw`."
        elif self.expected_call and not message.tool_calls:
            said = "The model answered without the call that was forced. Ask again, or use method='json_schema'."
        else:
            return
        raise _no_answer(said, message)


def _no_answer(said: str, message: AIMessage) -> OutputParserException:
    """`said`, with what the reply was."""
    usage, ending = message.usage_metadata, message.response_metadata
    native = ending.get("native_finish_reason", ending.get("finish_reason"))
    spent = f"{usage['output_tokens']} output tokens spent" if usage else "usage unknown"
    text = f"{said} Finish reason {native!r}, {spent}; its text: {message.text[:500]!r}."
    return OutputParserException(text, llm_output=message.text)


def _validate(answer_class: type, answer: object) -> object:
    """Return an instance of the class, which may be one of pydantic 1.

    The answer is validated as JSON: a strict class then takes a date as a string and a set as an array. Types that
    can only be built from Python values are validated in Python mode.
    """
    if not issubclass(answer_class, BaseModel):
        return cast("Any", answer_class).parse_obj(answer)
    try:
        return answer_class.model_validate_json(json.dumps(answer))
    except (*_PARSING_ERRORS, NotImplementedError) as err:
        fault = err
    try:
        return answer_class.model_validate(answer)
    except _PARSING_ERRORS as err:
        raise (fault if isinstance(fault, ValidationError) else err) from None


def _first_fault(err: ValueError) -> str:
    if not isinstance(err, ValidationError):
        return str(err)
    fault = err.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, fault["loc"]))
    return f"{place}: {fault['msg']}" if place else fault["msg"]


class _TextParser(_AnswerParser, JsonOutputParser):
    def _read(self, result: list[Generation], *, partial: bool) -> Any:
        message = getattr(result[0], "message", None)
        text = message.text if isinstance(message, AIMessage) else result[0].text
        if partial:
            return read_partial_answer(text, self.answer_schema)
        answers = read_answers(text, self.answer_schema)
        if len(answers) == 1 and answers[0] is not None:
            return answers[0]
        said = f"{_describe_answers(answers)}. Ask again, or simplify the schema."
        raise _no_answer(said, message) if isinstance(message, AIMessage) else OutputParserException(said)


def _describe_answers(answers: list[JsonValue]) -> str:
    if answers[1:]:
        return f"The answer holds {len(answers)} JSON values"
    return "The answer is `null`" if answers else "The answer is not complete JSON, or too deep to be read"


class _CallParser(_AnswerParser, JsonOutputKeyToolsParser):
    pass


class StreamUpdate(AddableDict):
    """One part of a stream. Messages add up; of objects and errors the last one counts."""

    def __add__(self, other: AddableDict) -> StreamUpdate:
        raw = {"raw": self["raw"] + other["raw"]} if "raw" in self and "raw" in other else {}
        return StreamUpdate({**self, **other, **raw})


def _parse_beside_raw(parser: _AnswerParser) -> Runnable[AIMessage, dict[str, Any]]:
    """The reply, what was read of it, and the parser's error instead of raising; a stream gives them as they come."""

    def transform(messages: Iterator[AIMessage]) -> Iterator[StreamUpdate]:
        reader = _StreamReader(parser)
        for message in messages:
            yield from reader.read(message)
        yield reader.finish()

    async def atransform(messages: AsyncIterator[AIMessage]) -> AsyncIterator[StreamUpdate]:
        reader = _StreamReader(parser)
        async for message in messages:
            for part in reader.read(message):
                yield part
        yield reader.finish()

    return RunnableGenerator(transform, atransform, name=type(parser).__name__)


class _StreamReader:
    """The chunks of one reply to the objects that they add up to."""

    def __init__(self, parser: _AnswerParser) -> None:
        self._parser = parser
        self._whole: AIMessage | None = None
        self._parsed: Any = None
        self._error: Exception | None = None

    def read(self, chunk: AIMessage) -> Iterator[StreamUpdate]:
        """`chunk`, and the object so far where it changed."""
        yield StreamUpdate(raw=chunk)
        self._whole = chunk if self._whole is None else cast("AIMessage", self._whole + chunk)
        yield from self._parse(self._whole, partial=True)

    def finish(self) -> StreamUpdate:
        """What is still to be told: the error or `None`, and that there is no object."""
        told: dict[str, Any] = {}
        if self._whole is not None and "finish_reason" not in self._whole.response_metadata:
            told = {key: value for part in self._parse(self._whole, partial=False) for key, value in part.items()}
        if self._error is not None or self._parsed is None:
            told["parsed"] = None
        return StreamUpdate(told, parsing_error=self._error)

    def _parse(self, message: AIMessage, *, partial: bool) -> Iterator[StreamUpdate]:
        before = self._parsed
        try:
            self._parsed = self._parser.parse_result([ChatGeneration(message=message)], partial=partial)
            self._error = None
        except _PARSING_ERRORS as err:
            self._error = err
        if self._error is None and self._parsed is not None and self._parsed != before:
            yield StreamUpdate(parsed=self._parsed)

"""Implements `with_structured_output`: binds the schema to the model, and parses the answers.

Calls and streams end with the whole object, or with an error that says why there is no object. For a missing answer,
the parser raises an error and never returns `None`.
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
from langchain_gemini_compat._model.bound_model import StructuredModel
from langchain_gemini_compat._request.data_classes import build_adapter, find_dataclass
from langchain_gemini_compat._request.tool_lists import format_tools
from langchain_gemini_compat._request.tools import (
    format_response_schema,
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
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.outputs import Generation
    from langchain_core.runnables import Runnable

    from langchain_gemini_compat._request.tools import NamedSchema
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Exceptions that count as parsing errors. Validators of the caller's class may raise them. Connection errors do not
#: count as parsing errors.
_PARSING_ERRORS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_REFERENCES = ("$ref", "$recursiveRef", "$dynamicRef")
#: Maximum depth at which `_move_references` changes the references of a schema.
_MAX_DEPTH = 200
#: Name of the function's only argument if the schema of the answer is not an object with named members.
_ANSWER = "answer"
#: Characters of generic class names, such as `Box[int]`, that are not allowed in function names.
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
    catalog: str | None = None,
) -> StructuredModel:
    """Return one runnable that consists of the model and the parser of its answers.

    Models before Gemini 3 answer 400 to `response_format` together with functions
    (https://github.com/googleapis/python-genai/issues/867). If `tools` are set, these models get the schema as an
    additional function. Raises `ValueError` for an unknown `method` or a missing `schema`.
    """
    if schema is None and method != "json_mode":
        raise ValueError(
            f"`schema` is needed for method {method!r}. Pass a pydantic class, dataclass, TypedDict or JSON schema."
        )
    beside = format_tools(tools or ())
    name = str(options.get("model") or getattr(model, "model_name", ""))
    has_functions = not all(map(is_google_tool, beside))
    if schema is not None and has_functions and not family_of(name, catalog).takes_json_beside_functions:
        method = "function_calling"
    named = None if schema is None else read_schema(schema)
    bound, parser = _build_parts(schema, named, method, strict)
    if named is not None:
        kwargs = {"method": method, **({} if strict is None else {"strict": strict})}
        bound["ls_structured_output_format"] = {"kwargs": kwargs, "schema": _describe(named)}
    if beside:
        bound["tools"] = [*bound.get("tools", ()), *beside]
    if beside and method == "function_calling":
        # If `tool_choice` were the name of a function, only this function would be declared to Google. The caller's
        # tools would be missing.
        bound["tool_choice"] = "any"
    llm = model.bind(**bound, **options)
    return StructuredModel(first=llm, last=_parse_beside_raw(parser) if include_raw else parser)


def _describe(named: NamedSchema) -> JsonObject:
    """Return the JSON schema of `named`, with the name as the schema's `title`, and with the description."""
    description: JsonObject = {"description": named.description} if named.description else {}
    return {"title": named.name, **description, **named.schema}


def _build_parts(
    schema: dict[str, Any] | type | None, named: NamedSchema | None, method: Method, strict: JsonValue
) -> tuple[dict[str, Any], _AnswerParser]:
    is_class = find_dataclass(schema) is not None or (isinstance(schema, type) and is_basemodel_subclass(schema))
    answer_class = cast("type", schema) if is_class else None
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
    """Return the options that make the model call a function, and the parser for this call.

    The arguments of the function must be an object with named members. For an answer of any other type, the function
    gets a single argument that contains the answer.
    """
    compiled, losses = compile_parameters(named.schema)
    member = _ANSWER if compiled is None and losses else ""
    parameters = _wrap(named.schema) if member else named.schema
    name = _UNUSUAL.sub("_", named.name)
    # An empty `description` is sent, too, because servers such as MLflow refuse a function without this key.
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
    """Return the schema of an object with the single member `answer`. This member has the schema `schema`."""
    inner = _move_references(schema, f"#/properties/{_ANSWER}")
    return {"type": "object", "properties": {_ANSWER: inner}, "required": [_ANSWER]}


def _move_references(value: JsonValue, to: str, moved: dict[int, JsonValue] | None = None, depth: int = 0) -> JsonValue:
    """Return a copy of a schema that is moved to the JSON pointer `to`: each local reference begins with `to`.

    Objects and lists that are nested deeper than `_MAX_DEPTH` are not changed. `moved` maps the `id` of each copied
    object or list to its copy, so that the copying of a schema that contains itself ends.
    """
    moved = {} if moved is None else moved
    if not isinstance(value, (dict, list)) or depth > _MAX_DEPTH:
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
    """Return `answer` after the repair of each mistake that can be repaired in only one way."""
    return repair_arguments(_wrap(schema), {_ANSWER: answer})[0][_ANSWER]


class _AnswerParser(BaseCumulativeTransformOutputParser[Any]):
    """Base class of the parsers. Before parsing, it checks the finish reason, refusals and missing calls.

    LangChain's parsers have no such checks: they complete truncated JSON, and return `None` for a missing call.
    """

    expected_call: str = ""
    """Name of the function whose arguments are the answer. Empty if the text of the reply is the answer."""
    answer_schema: dict[str, Any] | None = None
    """JSON schema of the answer."""
    answer_class: Any = None
    """Pydantic class or dataclass of the answer. If it is set, the class validates the answer instead of the schema."""
    member: str = ""
    """Name of the argument that is the answer. Empty if all arguments of the function together are the answer."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        message = getattr(result[0], "message", None)
        if isinstance(message, AIMessage):
            # A reply with a finish reason is complete, so parse it as a whole, even if LangChain asks for a partial
            # result.
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
        """Return the answer as parsed JSON, or `None` if the parser finds no answer."""
        return super().parse_result(result, partial=partial)

    def _unwrap(self, answer: Any) -> Any:
        return answer.get(self.member) if self.member and isinstance(answer, dict) else answer

    def _parse_whole(self, result: list[Generation], message: AIMessage) -> Any:
        """Return the answer of a complete reply.

        Raise an error if the answer does not satisfy the class or the schema.
        """
        answer = self._unwrap(self._read(result, partial=False))
        if self.answer_class is not None:
            return self._build_instance(self.answer_class, answer, message)
        if self.answer_schema is None:
            return answer
        answer = _repair(self.answer_schema, answer)
        if not satisfies(self.answer_schema, answer):
            raise _no_answer("The answer does not satisfy the schema. Ask again, or simplify the schema.", message)
        return answer

    def _build_instance(self, answer_class: type, answer: JsonValue, message: AIMessage) -> Any:
        """Return the answer as an instance of `answer_class`. If the class refuses the answer, repair it and retry."""
        try:
            return _validate(answer_class, answer)
        except ValueError as err:
            repaired = _repair(self.answer_schema or {}, answer)
            fault = err
        try:
            return _validate(answer_class, repaired)
        except ValueError:
            text = f"The answer does not fit {answer_class.__name__} ({_first_fault(fault)})."
            raise _no_answer(f"{text} Ask again, or simplify the schema.", message) from fault

    def _check_ending(self, message: AIMessage) -> None:
        refusal = describe_refusal(message)
        if refusal:
            text = f"The model refused to answer: {refusal[:500]} A retry gives the same result. Change the prompt."
            raise ModelRefusalError(text, raw_message=message)
        if message.response_metadata.get("finish_reason") == "length":
            text = "The answer was cut off at the token limit. Increase `max_tokens`, or ask for a shorter answer."
        elif message.tool_calls and self.expected_call not in (names := [call["name"] for call in message.tool_calls]):
            called = ", ".join(names)
            text = f"The model called {called} instead of answering. Set `include_raw=True` to get the call in `raw`."
        elif self.expected_call and not message.tool_calls:
            text = "The model answered without calling the forced function. Ask again, or use method='json_schema'."
        else:
            return
        raise _no_answer(text, message)


def _no_answer(text: str, message: AIMessage) -> OutputParserException:
    """Return an error with `text`, and with the finish reason, token usage and text of the reply."""
    usage, ending = message.usage_metadata, message.response_metadata
    native = ending.get("native_finish_reason", ending.get("finish_reason"))
    spent = f"{usage['output_tokens']} output tokens spent" if usage else "usage unknown"
    full = f"{text} Finish reason {native!r}, {spent}; text of the reply: {message.text[:500]!r}."
    return OutputParserException(full, llm_output=message.text)


def _validate(answer_class: type, answer: object) -> object:
    """Return the answer as an instance of a dataclass or of a pydantic 1 or pydantic 2 class.

    The answer is validated as JSON, so that a strict class accepts a string for a date and an array for a set. If this
    fails, the answer is validated in Python mode, because some types can only be built from Python values.
    """
    read_json: Callable[[str], object]
    read_python: Callable[[object], object]
    if find_dataclass(answer_class) is not None:
        adapter = build_adapter(answer_class)
        read_json, read_python = adapter.validate_json, adapter.validate_python
    elif issubclass(answer_class, BaseModel):
        read_json, read_python = answer_class.model_validate_json, answer_class.model_validate
    else:
        return cast("Any", answer_class).parse_obj(answer)
    try:
        return read_json(json.dumps(answer))
    except _PARSING_ERRORS as err:
        fault = err
    try:
        return read_python(answer)
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
        fault = f"{_describe_answers(answers)}. Ask again, or simplify the schema."
        raise _no_answer(fault, message) if isinstance(message, AIMessage) else OutputParserException(fault)


def _describe_answers(answers: list[JsonValue]) -> str:
    if answers[1:]:
        return f"The answer contains {len(answers)} JSON values"
    return "The answer is `null`" if answers else "The answer is not complete JSON, or too deep to be read"


class _CallParser(_AnswerParser, JsonOutputKeyToolsParser):
    pass


class StreamUpdate(AddableDict):
    """One item of a structured-output stream with `include_raw=True`.

    When two items are added, their messages are added. The object and the error are taken from the later item.
    """

    def __add__(self, other: AddableDict) -> StreamUpdate:
        raw = {"raw": self["raw"] + other["raw"]} if "raw" in self and "raw" in other else {}
        return StreamUpdate({**self, **other, **raw})


def _parse_beside_raw(parser: _AnswerParser) -> Runnable[AIMessage, dict[str, Any]]:
    """Return a runnable that streams the reply, the object that was parsed from it, and the parser's error."""

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
    """After each chunk of a streamed reply, parses all of the reply that has arrived."""

    def __init__(self, parser: _AnswerParser) -> None:
        self._parser = parser
        self._whole: AIMessage | None = None
        self._parsed: Any = None
        self._error: Exception | None = None

    def read(self, chunk: AIMessage) -> Iterator[StreamUpdate]:
        """Yield `chunk`, and the partial object if it has changed."""
        yield StreamUpdate(raw=chunk)
        self._whole = chunk if self._whole is None else cast("AIMessage", self._whole + chunk)
        yield from self._parse(self._whole, partial=True)

    def finish(self) -> StreamUpdate:
        """Return the last item of the stream, with the error of the parser or `None` as `parsing_error`.

        If there is no valid object, `parsed` is `None`. If the object has changed since the previous item, `parsed` is
        the object. Otherwise, the item has no key `parsed`.
        """
        update: dict[str, Any] = {}
        if self._whole is not None and "finish_reason" not in self._whole.response_metadata:
            update = {key: value for part in self._parse(self._whole, partial=False) for key, value in part.items()}
        if self._error is not None or self._parsed is None:
            update["parsed"] = None
        return StreamUpdate(update, parsing_error=self._error)

    def _parse(self, message: AIMessage, *, partial: bool) -> Iterator[StreamUpdate]:
        before = self._parsed
        try:
            self._parsed = self._parser.parse_result([ChatGeneration(message=message)], partial=partial)
            self._error = None
        except _PARSING_ERRORS as err:
            self._error = err
        if self._error is None and self._parsed is not None and self._parsed != before:
            yield StreamUpdate(parsed=self._parsed)

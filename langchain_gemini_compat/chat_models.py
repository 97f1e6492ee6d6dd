"""`ChatGeminiCompat`: the chat model, and its implementation of LangChain's hooks."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from copy import deepcopy
from functools import cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, cast

from langchain_core.language_models._compat_bridge import achunks_to_events, chunks_to_events
from langchain_core.language_models.base import LangSmithParams, LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.prompt_values import PromptValue
from langchain_core.utils.utils import LC_ID_PREFIX
from pydantic import BaseModel, ConfigDict, PrivateAttr, model_validator
from typing_extensions import Self

from langchain_gemini_compat import _call
from langchain_gemini_compat._bound_model import BoundModel, StructuredModel
from langchain_gemini_compat._catalog.langchain_profile import build_profile
from langchain_gemini_compat._catalog.models import bare_model_name, family_of
from langchain_gemini_compat._connection import ConnectedModel
from langchain_gemini_compat._lazy import LazyModule
from langchain_gemini_compat._request.build import Request, build_payload, takes_body_key
from langchain_gemini_compat._request.openai_dicts import adopt_wire_fields
from langchain_gemini_compat._request.thinking import THINKING_OPTIONS
from langchain_gemini_compat._request.token_estimate import estimate_messages
from langchain_gemini_compat._request.tool_lists import format_tools
from langchain_gemini_compat._request.tool_results import shield_results
from langchain_gemini_compat._request.tools import format_response_schema, set_strict
from langchain_gemini_compat._response import block_translator
from langchain_gemini_compat._response.message_chunks import ReplyDecoder
from langchain_gemini_compat._response.usage_metadata import sum_token_usage
from langchain_gemini_compat._response.v3_events import CORE_TAKES_PIECES, EventDecoder, read_text_delta
from langchain_gemini_compat._settings.aliases import hide_secrets
from langchain_gemini_compat._settings.fields import RequestFields, normalize_options
from langchain_gemini_compat._wire.json_types import JsonObject
from langchain_gemini_compat._wire.notes import Note
from langchain_gemini_compat._wire.provider import PROVIDER
from langchain_gemini_compat.errors import GeminiCompatWarning

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from langchain_core import tools as lc_tools
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models.model_profile import ModelProfile
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_protocol.protocol import MessagesData
else:
    from langchain_core.runnables import RunnableConfig

    lc_tools = LazyModule("langchain_core.tools")

_log = logging.getLogger("langchain_gemini_compat")
#: A tool for `bind_tools`. Tools of `google.genai.types` are pydantic models.
Tool: TypeAlias = "dict[str, Any] | type | Callable[..., Any] | lc_tools.BaseTool | BaseModel"
block_translator.register()


class ChatGeminiCompat(ConnectedModel, RequestFields, BaseChatModel):
    """Chat model for Gemini through Google's OpenAI-compatible Chat Completions API. Compatible servers also work.

    The arguments select the surface:

    - `project`, `location`, `endpoint_id` or `credentials`: Vertex AI
    - an API key alone: AI Studio
    - any other `base_url`: a compatible server. It gets the model name unchanged, and does not get Google's fields

    The constructor opens no connection and reads no credential. The first call does.

    All parameters are keyword arguments, and all are optional except `model`. The `description` of each field gives its
    unit, its default and the surfaces that accept it, for example
    `ChatGeminiCompat.model_fields["max_tokens"].description`. Parameters by group:

    - model: `model`
    - place: `project`, `location`, `endpoint_id`, `base_url`, `api_version`, `surface`
    - credentials: `api_key`, `credentials`, `quota_project_id`
    - sampling: `temperature`, `top_p`, `max_tokens`, `stop`, `n`, `seed`, `presence_penalty`, `frequency_penalty`,
      `logprobs`, `top_logprobs`
    - thinking: `reasoning_effort`, `thinking_level`, `thinking_budget`, `include_thoughts`, `thought_tag_marker`
    - Gemini: `safety_settings`, `cached_content`, `media_resolution`, `modalities`, `stream_function_call_arguments`,
      `service_tier`
    - fields and headers without a parameter: `extra_body`, `model_kwargs`, `default_headers`, `default_query`
    - transport: `timeout`, `max_retries`, `http_client`, `http_async_client`
    - replies and errors: `streaming`, `stream_usage`, `strict`, `invalid_tool_calls`, `include_response_headers`

    Raises:
        ValueError: At construction, if the arguments name no endpoint or contradict each other.
        GeminiCompatError: At a call. `langchain_gemini_compat.errors` has a class for each kind of failure.

    Examples:
        ```python
        ChatGeminiCompat(model="gemini-3.8-flash", project="my-project")  # Vertex AI, default credentials
        ChatGeminiCompat(model="gemini-3.8-flash", api_key="...")  # AI Studio
        ChatGeminiCompat(model="gemma-3-270m", base_url="http://127.0.0.1:8080/v1")  # a compatible server
        ```
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        populate_by_name=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
        defer_build=False,
    )

    _warned: set[str] = PrivateAttr(default_factory=set)

    @model_validator(mode="after")
    def _complete_gemini_compat(self) -> Self:
        if self.profile is None:
            # Not in the hook `_resolve_model_profile`: langchain-core validates its result, which is slow.
            self.profile: ModelProfile | None = build_profile(family_of(self.model_name))
        self._add_version("langchain-gemini-compat", _package_version())
        return self

    @property
    def _llm_type(self) -> str:
        return "gemini-compat-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        options = cast("dict[str, Any]", hide_secrets(self._options()))
        params = {"model": self.model_name, "base_url": self._connection.endpoint.base_url, **options}
        digest = self.routing_digest()
        return {**params, "routing_digest": digest} if digest else params

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """Return LangChain's cache key for the model and its options, without the prompt."""
        digest = self.routing_digest(kwargs)
        shown = cast("dict[str, Any]", hide_secrets(kwargs))
        return super()._get_llm_string(stop=stop, **shown, **({"routing_digest": digest} if digest else {}))

    def __iter__(self) -> Generator[tuple[str, Any]]:
        """Iterate over a copy of the fields, because langchain-core may add cached values in another thread."""
        yield from [(name, value) for name, value in self.__dict__.copy().items() if not name.startswith("_")]

    def preview(self, messages: LanguageModelInput, **kwargs: Any) -> tuple[JsonObject, list[Note]]:
        """Return the request that `invoke` would send, and notes about all changes. No request is sent.

        Models with bound tools or options, and the result of `with_structured_output`, have this method too.

        Args:
            messages: Input as for `invoke`.
            **kwargs: Options as for `invoke`. `stream=True` shows the request of `stream`.

        Returns:
            A copy of the request body, and a list of notes. There is a note for each repair, for each parameter that
            was left out or adjusted, and for each part of a schema that was lost.

        Raises:
            UnsupportedParameterError: For conflicting or invalid options. With `strict`, for every change to an option.
            UnsupportedContentError: For content that the surface does not accept.
            InvalidHistoryError: For a history that cannot be repaired. With `strict`, for every repair.

        Examples:
            ```python
            body, notes = model.preview("Hello")
            body, notes = model.bind_tools(tools).preview("Hello")
            ```
        """
        # LangChain removes this option, which describes a schema for tracers, before it calls the model.
        kwargs.pop("ls_structured_output_format", None)
        stop, stream = kwargs.pop("stop", None), bool(kwargs.pop("stream", False))
        request = self._build(self._convert_input(messages).to_messages(), stop, kwargs, stream=stream, warn=False)
        return deepcopy(request.payload), list(request.notes)

    def bind_tools(
        self,
        tools: Sequence[Tool],
        *,
        tool_choice: dict[str, Any] | list[str] | str | bool | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: dict[str, Any] | type | None = None,
        **kwargs: Any,
    ) -> BoundModel:
        """Return a model with tools bound to it.

        Args:
            tools: Functions, pydantic classes, dataclasses, LangChain tools, dicts in OpenAI's form, and Google's own
                tools: `{"google_search": {}}`, or objects of `google.genai.types`.
            tool_choice: Which tool the model calls: `"auto"`, `"none"`, `"any"`, `"required"`, `True` (any tool), the
                name of a tool, a list of names, or OpenAI's dict. Default: the model decides.
            parallel_tool_calls: If `False`, the message has at most one tool call. Default: no limit.
            response_format: Schema of the answer for structured output together with tools. Default: none.
            **kwargs: Other options of a request. Compatible servers get `strict` with each tool; Gemini has no such
                option.

        Returns:
            A runnable from messages to an `AIMessage`. Its `preview` shows the request with the tools.

        Raises:
            UnsupportedParameterError: For an option that looks like a secret or can only be set on the model.

        Examples:
            ```python
            model.bind_tools([get_weather], tool_choice="any").invoke("Weather in Oslo?").tool_calls
            ```
        """
        strict = kwargs.pop("strict", None)
        bound: dict[str, Any] = {"tools": [set_strict(tool, strict) for tool in format_tools(tools)], **kwargs}
        if response_format is not None and strict is not None:
            response_format = set_strict(format_response_schema(response_format), strict)
        optional = {
            "tool_choice": tool_choice,
            "parallel_tool_calls": parallel_tool_calls,
            "response_format": response_format,
        }
        return cast(
            "BoundModel", self.bind(**bound, **{key: value for key, value in optional.items() if value is not None})
        )

    if not TYPE_CHECKING:
        # Hidden from type checkers, because the return type differs between versions of langchain-core.
        def bind(self, **kwargs: Any) -> BoundModel:
            """Return a model with options of a request bound to it.

            Raises `UnsupportedParameterError` for an option that looks like a secret: `repr` shows bound options.
            """
            normalize_options(kwargs)
            return BoundModel(bound=self, kwargs=kwargs)

        def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> BoundModel:
            """Return a model with a LangChain config, as every runnable does."""
            return BoundModel(bound=self, config=super().with_config(config, **kwargs).config)

        def with_retry(self, **kwargs: Any) -> BoundModel:
            """Return a model that LangChain calls again after an error. See also `max_retries`."""
            return BoundModel(bound=super().with_retry(**kwargs))

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Literal["json_schema", "function_calling", "json_mode"] = "json_schema",
        include_raw: bool = False,
        strict: bool | None = None,
        tools: Sequence[Tool] | None = None,
        **kwargs: Any,
    ) -> StructuredModel:
        """Return a runnable whose answers are objects of `schema`.

        Args:
            schema: Pydantic class, dataclass, `TypedDict` or JSON schema. Only `json_mode` works without a schema.
            method: `"json_schema"` (default) sends the schema as `response_format`. `"function_calling"` forces the
                call of a function with the schema. `"json_mode"` requests JSON without sending the schema.
            include_raw: If `True`, the result is a dict of `raw` (the message), `parsed` and `parsing_error`, and
                parsing errors are not raised. Default: `False`.
            strict: OpenAI's `strict`, sent only to compatible servers; Gemini has no such option. Default: not sent.
            tools: Tools that the model may call before it answers. Default: none.
            **kwargs: Other options of a request.

        Returns:
            A runnable from messages to an instance of a pydantic class or dataclass, or to parsed JSON for other
            schemas. Its `preview` shows the request with the schema.

        Raises:
            ValueError: For an unknown `method` or a missing `schema`. At a call, the runnable raises
                `OutputParserException` for an answer that does not satisfy the schema, and `ModelRefusalError` if the
                model refuses to answer.

        Examples:
            ```python
            class City(BaseModel):
                name: str
                population: int


            model.with_structured_output(City).invoke("The largest city of Norway?")
            ```
        """
        from langchain_gemini_compat._structured_output import build_structured_output

        return build_structured_output(
            self, schema, method=method, include_raw=include_raw, tools=tools, strict=strict, options=kwargs
        )

    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], tools: Sequence[Tool] | None = None) -> int:
        """Estimate the number of input tokens of messages, offline and without a tokenizer.

        Args:
            messages: Messages to count. Thought signatures are not counted.
            tools: Tools whose declarations are counted too. Default: none.

        Returns:
            The estimated number of tokens.
        """
        return estimate_messages(messages, format_tools(tools or ()))

    def get_num_tokens(self, text: str) -> int:
        """Estimate the number of tokens of a text, offline and without a tokenizer.

        Args:
            text: Text to count.

        Returns:
            The estimated number of tokens.
        """
        from langchain_core.messages import HumanMessage

        return estimate_messages([HumanMessage(text)], [])

    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        # LangChain calls this method before it starts a trace, so a secret that is refused here is never traced.
        normalize_options(kwargs)
        return super()._get_invocation_params(stop=stop, **cast("dict[str, Any]", hide_secrets(kwargs)))

    def _convert_input(self, model_input: LanguageModelInput) -> PromptValue:
        return shield_results(super()._convert_input(adopt_wire_fields(model_input)))

    def _options(self, kwargs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the options of a request. The call overrides the constructor, which overrides `model_kwargs`."""
        return self._resolve_options(kwargs)[0]

    def _resolve_options(self, kwargs: Mapping[str, Any] | None) -> tuple[dict[str, Any], list[str]]:
        """Return the options of a request, and the names of the `model_kwargs` that the constructor overrides."""
        own = {name: value for name in RequestFields.model_fields if (value := getattr(self, name)) is not None}
        given, further = normalize_options(kwargs or {}), normalize_options(self.model_kwargs)
        overridden: list[str] = []
        if further:
            overridden = [name for name in further if name not in given and self._overrides(name, further[name])]
            further = {name: value for name, value in further.items() if not self._overrides(name, value)}
        if any(given.get(name) is not None for name in THINKING_OPTIONS):
            # A thinking option of the call replaces all thinking options of the model.
            own = {name: value for name, value in own.items() if name not in THINKING_OPTIONS}
            further = {name: value for name, value in further.items() if name not in THINKING_OPTIONS}
        return {**own, **further, **given}, overridden

    def _overrides(self, name: str, value: object) -> bool:
        """Return whether an argument of the constructor overrides an entry of `model_kwargs` with another value."""
        if name == "model":
            return value != self.model_name
        names = THINKING_OPTIONS if name in THINKING_OPTIONS else (name,)
        given = self.model_fields_set & RequestFields.model_fields.keys()
        own = {one: getattr(self, one) for one in names if one in given}
        return any(other is not None and (one != name or other != value) for one, other in own.items())

    def _sends_body_key(self, name: str) -> bool:
        return takes_body_key(name, self._connection.endpoint)

    def _build(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        kwargs: dict[str, Any],
        *,
        stream: bool,
        warn: bool = True,
    ) -> Request:
        options, overridden = self._resolve_options({**kwargs, **({"stop": stop} if stop is not None else {})})
        endpoint = self._connection.endpoint
        override = normalize_options(kwargs).get("model")
        if override:
            endpoint = endpoint.with_model(override)
        request = build_payload(messages, options, endpoint, stream=stream, strict=self.strict, overridden=overridden)
        if warn:
            self._report_notes(request)
        return request

    def _report_notes(self, request: Request) -> None:
        """Warn once about each loss, and log each kind of change once. The reply's metadata has all notes."""
        for note in request.notes:
            if note.kind not in self._warned:
                self._warned.add(note.kind)
                _log.info("%s: %s", note.kind, note.message)
            if note.kind in ("dropped", "adjusted", "tight_limit") and note.message not in self._warned:
                self._warned.add(note.message)
                warnings.warn(note.message, GeminiCompatWarning, stacklevel=4)

    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
        """Return the `llm_output` of `generate` with several prompts, as `ChatOpenAI` does."""
        return {"token_usage": sum_token_usage(llm_outputs), "model_name": bare_model_name(self.model_name)}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _call.complete(self._build(messages, stop, kwargs, stream=False), self._open_transport())

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._build(messages, stop, kwargs, stream=False)
        return await _call.acomplete(request, await self._aopen_transport())

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        # Not a generator function: an additional generator would cost as much as decoding a piece of text.
        request = self._build(messages, stop, kwargs, stream=True)
        chunks = _call.stream(request, self._open_transport(), ReplyDecoder)
        return _report_tokens(chunks, run_manager) if run_manager else chunks

    def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        request = self._build(messages, stop, kwargs, stream=True)
        chunks = _call.astream(request, self._aopen_transport, ReplyDecoder)
        return _areport_tokens(chunks, run_manager) if run_manager else chunks

    def _stream_chat_model_events(
        self,
        messages: list[BaseMessage],
        *,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[MessagesData]:
        """Yield the events of `stream_events(version="v3")`. langchain-core looks this method up by name."""
        if not CORE_TAKES_PIECES:
            chunks = self._stream(messages, stop=stop, run_manager=run_manager, **kwargs)
            yield from chunks_to_events(chunks, message_id=_message_id(run_manager))
            return
        request = self._build(messages, stop, kwargs, stream=True)
        open_decoder = partial(EventDecoder, message_id=_message_id(run_manager))
        with closing(_call.stream(request, self._open_transport(), open_decoder)) as events:
            for event in events:
                token = read_text_delta(event)
                if token and run_manager:
                    run_manager.on_llm_new_token(token)
                yield event

    async def _astream_chat_model_events(
        self,
        messages: list[BaseMessage],
        *,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[MessagesData]:
        if not CORE_TAKES_PIECES:
            chunks = self._astream(messages, stop=stop, run_manager=run_manager, **kwargs)
            async for event in achunks_to_events(chunks, message_id=_message_id(run_manager)):
                yield event
            return
        request = self._build(messages, stop, kwargs, stream=True)
        open_decoder = partial(EventDecoder, message_id=_message_id(run_manager))
        async with aclosing(_call.astream(request, self._aopen_transport, open_decoder)) as events:
            async for event in events:
                token = read_text_delta(event)
                if token and run_manager:
                    await run_manager.on_llm_new_token(token)
                yield event

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        options = self._options(kwargs)
        params = LangSmithParams(
            ls_provider=PROVIDER,
            ls_model_name=bare_model_name(str(normalize_options(kwargs).get("model") or self.model_name)),
            ls_model_type="chat",
        )
        if options.get("temperature") is not None:
            params["ls_temperature"] = options["temperature"]
        if options.get("max_tokens") is not None:
            params["ls_max_tokens"] = options["max_tokens"]
        stops = stop or options.get("stop")
        if stops:
            params["ls_stop"] = [stops] if isinstance(stops, str) else list(stops)
        return params


@cache
def _package_version() -> str:
    return version("langchain-gemini-compat")


def _report_tokens(
    chunks: Generator[ChatGenerationChunk], run_manager: CallbackManagerForLLMRun
) -> Generator[ChatGenerationChunk]:
    # `closing` closes the connection when the caller leaves the loop, not only when the generator is collected.
    with closing(chunks):
        for chunk in chunks:
            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


async def _areport_tokens(
    chunks: AsyncGenerator[ChatGenerationChunk], run_manager: AsyncCallbackManagerForLLMRun
) -> AsyncGenerator[ChatGenerationChunk]:
    async with aclosing(chunks):
        async for chunk in chunks:
            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


def _message_id(run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None) -> str:
    """Return the ID that langchain-core gives to a message without an ID."""
    return f"{LC_ID_PREFIX}-{run_manager.run_id}" if run_manager else ""

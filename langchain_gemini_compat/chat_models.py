"""`ChatGeminiCompat`: where LangChain, the pure core and the network meet. Four short run methods and their options."""

from __future__ import annotations

import asyncio
import logging
import warnings
from contextlib import aclosing, closing
from functools import cache
from importlib.metadata import version
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.chat_models import BaseChatModel
from pydantic import AliasChoices, ConfigDict, PrivateAttr, SecretStr, model_validator

from langchain_gemini_compat import _blocks, _run
from langchain_gemini_compat._config import resolve_connection
from langchain_gemini_compat._decode import ReplyDecoder
from langchain_gemini_compat._families import bare_model_name, family_of
from langchain_gemini_compat._fields import ConnectionFields, RequestFields, spell_options
from langchain_gemini_compat._history import adopt_wire_fields
from langchain_gemini_compat._locks import making
from langchain_gemini_compat._payload import build_payload
from langchain_gemini_compat._profiles import build_profile
from langchain_gemini_compat._provider import PROVIDER
from langchain_gemini_compat._structured import build_structured_output
from langchain_gemini_compat._timeouts import resolve_timeouts
from langchain_gemini_compat._tokens import estimate_messages
from langchain_gemini_compat._tools import format_tool
from langchain_gemini_compat.errors import GeminiCompatWarning

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.prompt_values import PromptValue
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool
    from pydantic import BaseModel
    from typing_extensions import Self

    from langchain_gemini_compat._config import Connection
    from langchain_gemini_compat._notes import Note
    from langchain_gemini_compat._payload import Request
    from langchain_gemini_compat._transport import Transport
    from langchain_gemini_compat._wire import JsonObject

_read_connection: Callable[[object], tuple[object, ...]] = attrgetter(*ConnectionFields.model_fields)
_log = logging.getLogger("langchain_gemini_compat")
Tool: TypeAlias = "dict[str, Any] | type | Callable[..., Any] | BaseTool"
_blocks.register()


class ChatGeminiCompat(BaseChatModel, ConnectionFields, RequestFields):
    """Gemini, or a self-deployed model, behind Google's OpenAI-compatible Chat Completions API.

    The surface follows from the arguments: `project`, `location`, `endpoint_id` or `credentials` mean Vertex AI,
    an API key alone means AI Studio, any other `base_url` means a compatible server, to which the model name
    goes as it is and nothing of Google's is added. Nothing is connected and no credential is looked up before
    the first call.

    ```python
    ChatGeminiCompat(model="gemini-3.8-flash", project="my-project")  # Vertex AI, default credentials
    ChatGeminiCompat(model="gemini-3.8-flash", api_key="...")  # AI Studio
    ChatGeminiCompat(model="gemma-3-270m", base_url="http://127.0.0.1:8080/v1")  # anything compatible
    ```

    Raises `ValueError` at construction when the arguments name no endpoint, and the classes of
    `langchain_gemini_compat.errors` at a call.
    """

    model_config = ConfigDict(
        populate_by_name=True, arbitrary_types_allowed=True, protected_namespaces=(), hide_input_in_errors=True
    )

    _resolved: Connection | None = PrivateAttr(default=None)
    _resolved_from: tuple[object, ...] = PrivateAttr(default=())
    _transport: Transport | None = PrivateAttr(default=None)
    _warned: set[str] = PrivateAttr(default_factory=set)

    @model_validator(mode="before")
    @classmethod
    def _adopt_unknown_arguments(cls, values: Any) -> Any:
        """What is no field is a body key, as on other chat models, and is said: it may be misspelt."""
        if not isinstance(values, dict):
            return values
        unknown = {name: value for name, value in values.items() if name not in _argument_names(cls)}
        if not unknown:
            return values
        text = f"{', '.join(map(repr, unknown))} is no argument of {cls.__name__} and is sent as a body key."
        if values.get("strict"):
            raise ValueError(f"{text} `strict=True` forbids that; use `model_kwargs` where it is meant.")
        warnings.warn(text, GeminiCompatWarning, stacklevel=4)
        known = {name: value for name, value in values.items() if name not in unknown}
        return {**known, "model_kwargs": {**unknown, **(values.get("model_kwargs") or {})}}

    @model_validator(mode="after")
    def _resolve_gemini_compat_connection(self) -> Self:
        connection = self._connection
        resolve_timeouts(self.timeout)
        # What the environment gave can be read off the fields, as on other chat models.
        self.api_key, self.project, self.location = connection.api_key, connection.project, connection.location
        self._resolved_from = self._connection_fields()
        if self.profile is None:
            # Here and not in `_resolve_model_profile`, whose result langchain-core checks at the cost of all the rest.
            self.profile = build_profile(family_of(self.model_name), connection.endpoint)
        self._add_version("langchain-gemini-compat", _package_version())
        return self

    @property
    def _connection(self) -> Connection:
        """Where to and as whom, made anew when a field has changed."""
        if isinstance(self.api_key, str):
            # Assignments and copies are not validated.
            self.api_key = SecretStr(self.api_key)
        given = self._connection_fields()
        if self._resolved is None or given != self._resolved_from:
            # A copy with other values, or a field that was set, is another connection.
            self._transport, self._resolved_from = None, given
            self._resolved = resolve_connection(
                model=self.model_name,
                surface=self.surface,
                project=self.project,
                location=self.location,
                endpoint_id=self.endpoint_id,
                base_url=self.base_url,
                api_version=self.api_version,
                api_key=self.api_key,
                credentials=self.credentials,
            )
        return self._resolved

    def _connection_fields(self) -> tuple[object, ...]:
        return _read_connection(self)

    @property
    def model(self) -> str:
        """The model's name, as given."""
        return self.model_name

    @property
    def _llm_type(self) -> str:
        return "gemini-compat-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model_name, "base_url": self._connection.endpoint.base_url, **self._options()}

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Where a deserialised model finds its key again; a gateway's key is not Google's."""
        at_google = self._connection.endpoint.surface == "ai_studio"
        return {"api_key": "GOOGLE_API_KEY" if at_google else "GEMINI_COMPAT_API_KEY"}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Whether `dumps` keeps the constructor's arguments (secrets left out)."""
        return True

    def __getstate__(self) -> dict[Any, Any]:
        """Connections and clients stay behind when the model is pickled; they are made anew at the next call."""
        state = super().__getstate__()
        state = {**state, "__dict__": {**state["__dict__"], "http_client": None, "http_async_client": None}}
        private = {**(state.get("__pydantic_private__") or {}), "_transport": None, "_resolved_from": ()}
        return {**state, "__pydantic_private__": private}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """What was resolved stays so: where a key came from cannot be seen from the key."""
        super().__setstate__(state)
        self._resolved_from = self._connection_fields()

    def __iter__(self) -> Generator[tuple[str, Any]]:
        """Over a copy: langchain-core keeps what it caches among the fields while other threads look at them."""
        yield from [(name, value) for name, value in self.__dict__.copy().items() if not name.startswith("_")]

    def endpoint_info(self) -> dict[str, Any]:
        """Where requests go and as whom: `surface`, `base_url`, `model` and `auth` (`kind`, `source`); no secret."""
        endpoint = self._connection.endpoint
        tokens = self._open_transport().tokens
        auth = {"kind": tokens.info.kind, "source": tokens.info.source}
        return {
            "surface": endpoint.surface,
            "base_url": endpoint.base_url,
            "model": endpoint.model,
            "auth": auth,
        }

    def preview(self, messages: LanguageModelInput, **kwargs: Any) -> tuple[JsonObject, list[Note]]:
        """The body that would be sent for `messages`, and a note for each repair, dropped parameter or lossy step."""
        stop, stream = kwargs.pop("stop", None), bool(kwargs.pop("stream", False))
        request = self._build(self._convert_input(messages).to_messages(), stop, kwargs, stream=stream, warn=False)
        return request.payload, list(request.notes)

    def bind_tools(
        self,
        tools: Sequence[Tool],
        *,
        tool_choice: dict[str, Any] | list[str] | str | bool | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: dict[str, Any] | type | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools: anything LangChain takes, and Google's own (`{"google_search": {}}`).

        `tool_choice` is `auto`, `none`, `any`, `required`, `True`, a name, a list of names, or OpenAI's object.
        With `parallel_tool_calls=False` at most one call of a reply reaches the caller. `response_format` asks
        for structured output beside the tools.
        """
        bound: dict[str, Any] = {"tools": [format_tool(tool) for tool in tools], **kwargs}
        bound.pop("strict", None)
        optional = {
            "tool_choice": tool_choice,
            "parallel_tool_calls": parallel_tool_calls,
            "response_format": response_format,
        }
        return super().bind(**bound, **{key: value for key, value in optional.items() if value is not None})

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Literal["json_schema", "function_calling", "json_mode"] = "json_schema",
        include_raw: bool = False,
        strict: bool | None = None,
        tools: Sequence[Tool] | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Answers as objects of `schema`: a pydantic class, a TypedDict or a JSON schema.

        `json_schema` and `json_mode` use `response_format`, `function_calling` a forced call. With `include_raw`
        the answer is `{"raw", "parsed", "parsing_error"}`. `strict` is accepted for OpenAI's sake and not sent.
        """
        return build_structured_output(
            self, schema, method=method, include_raw=include_raw, tools=tools, strict=strict, options=kwargs
        )

    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], tools: Sequence[Tool] | None = None) -> int:
        """An offline estimate; see `_tokens` for what it counts and how near it comes."""
        return estimate_messages(messages, [format_tool(tool) for tool in tools or ()])

    def get_num_tokens(self, text: str) -> int:
        """An offline estimate of the tokens of `text`."""
        from langchain_core.messages import HumanMessage

        return estimate_messages([HumanMessage(text)], [])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _run.complete(self._build(messages, stop, kwargs, stream=False), self._open_transport())

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._build(messages, stop, kwargs, stream=False)
        return await _run.acomplete(request, await self._aopen_transport())

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        request = self._build(messages, stop, kwargs, stream=True)
        # Leaving the loop closes the connection at once, and does not wait for the garbage collector.
        with closing(_run.stream(request, self._open_transport(), ReplyDecoder)) as chunks:
            for chunk in chunks:
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        request = self._build(messages, stop, kwargs, stream=True)
        async with aclosing(_run.astream(request, await self._aopen_transport(), ReplyDecoder)) as chunks:
            async for chunk in chunks:
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    def _convert_input(self, model_input: LanguageModelInput) -> PromptValue:
        return super()._convert_input(adopt_wire_fields(model_input))

    def _options(self, kwargs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What the request is made of: the model's own fields, then `model_kwargs`, then those of the call."""
        own = {name: value for name in RequestFields.model_fields if (value := getattr(self, name)) is not None}
        return {**own, **self.model_kwargs, **spell_options(kwargs or {})}

    def _build(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        kwargs: dict[str, Any],
        *,
        stream: bool,
        warn: bool = True,
    ) -> Request:
        options = self._options({**kwargs, **({"stop": stop} if stop is not None else {})})
        endpoint = self._connection.endpoint
        override = kwargs.get("model")
        if override:
            endpoint = endpoint.with_model(override)
        request = build_payload(messages, options, endpoint, stream=stream, strict=self.strict)
        if warn:
            self._tell_once(request)
        return request

    def _tell_once(self, request: Request) -> None:
        """A warning for each loss, a line in the log for each kind of change; every one is on the reply."""
        for note in request.notes:
            if note.kind not in self._warned:
                self._warned.add(note.kind)
                _log.info("%s: %s", note.kind, note.message)
            if note.kind in ("dropped", "adjusted") and note.message not in self._warned:
                self._warned.add(note.message)
                warnings.warn(note.message, GeminiCompatWarning, stacklevel=4)

    def _open_transport(self) -> Transport:
        connection = self._connection
        if self._transport is None:
            with making():
                self._transport = self._transport or self._build_transport(connection)
        return self._transport

    async def _aopen_transport(self) -> Transport:
        """Loading openai and google-auth takes half a second; a thread does it."""
        if self._transport is None:
            await asyncio.to_thread(self._open_transport)
        return self._open_transport()

    def _build_transport(self, connection: Connection) -> Transport:
        from langchain_gemini_compat._transport import open_transport

        return open_transport(
            connection,
            credentials=self.credentials,
            quota_project_id=self.quota_project_id,
            limits=resolve_timeouts(self.timeout),
            max_retries=self.max_retries,
            headers=self.default_headers or {},
            query=self.default_query or {},
            http_client=self.http_client,
            http_async_client=self.http_async_client,
        )

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        options = self._options(kwargs)
        params = LangSmithParams(
            ls_provider=PROVIDER,
            ls_model_name=bare_model_name(str(kwargs.get("model") or self.model_name)),
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
def _argument_names(cls: type[BaseModel]) -> frozenset[str]:
    """Every name that the constructor takes."""
    names = set(cls.model_fields)
    for field in cls.model_fields.values():
        alias = field.validation_alias
        names.update(str(choice) for choice in (alias.choices if isinstance(alias, AliasChoices) else [alias]))
    return frozenset(names)


@cache
def _package_version() -> str:
    return version("langchain-gemini-compat")

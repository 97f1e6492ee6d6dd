"""`ChatGeminiCompat`: the chat model, and its implementation of LangChain's hooks."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from copy import deepcopy
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import version
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, cast

from langchain_core.language_models._compat_bridge import achunks_to_events, chunks_to_events
from langchain_core.language_models.base import LangSmithParams, LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import RunnableSerializable
from langchain_core.runnables.utils import AnyConfigurableField
from langchain_core.utils.utils import LC_ID_PREFIX
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator
from typing_extensions import Self

from langchain_gemini_compat._catalog.ends import take_end_warning
from langchain_gemini_compat._catalog.langchain_profile import build_profile, is_from_catalog
from langchain_gemini_compat._catalog.models import bare_model_name, family_of
from langchain_gemini_compat._lazy import LazyModule
from langchain_gemini_compat._model import call as _call
from langchain_gemini_compat._model.bound_model import BoundModel, StructuredModel
from langchain_gemini_compat._model.connection import ConnectedModel
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
from langchain_gemini_compat._settings.fields import RequestFields, find_misspelled, normalize_options
from langchain_gemini_compat._wire.json_types import JsonObject
from langchain_gemini_compat._wire.notes import Note
from langchain_gemini_compat._wire.provider import PROVIDER
from langchain_gemini_compat.errors import GeminiCompatWarning

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator
    from enum import Enum

    from google.auth.credentials import Credentials
    from langchain_core import tools as lc_tools
    from langchain_core.caches import BaseCache
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun, Callbacks
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.rate_limiters import BaseRateLimiter
    from langchain_protocol.protocol import MessagesData

    from langchain_gemini_compat._catalog.surfaces import Surface
    from langchain_gemini_compat._settings import argument_types as types
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
    - facts about models: `catalog`, `profile`

    Raises:
        ValueError: At construction, if the arguments name no endpoint or contradict each other.
        GeminiCompatError: At a call. `langchain_gemini_compat.errors` has a class for each kind of failure.

    Examples:
        Choose the surface. On Vertex AI, the credentials are the application default credentials:

        ```python
        ChatGeminiCompat(model="gemini-3.8-flash", project="my-project", location="global")  # Vertex AI
        ChatGeminiCompat(model="gemini-3.8-flash", api_key="...")  # AI Studio
        ChatGeminiCompat(model="gemma-3-270m", base_url="http://127.0.0.1:8080/v1")  # a compatible server
        ChatGeminiCompat(project="my-project", location="us-central1", endpoint_id="123")  # your own endpoint
        ```

        Set options for all calls. A call can override each of them:

        ```python
        model = ChatGeminiCompat(
            model="gemini-3.8-flash",
            api_key="...",
            temperature=0,
            max_tokens=32_000,
            timeout=60,
            max_retries=3,
        )
        model.invoke("Hello", temperature=1)
        ```

        Ask a question. The answer is an `AIMessage`, and its `text` is a string:

        ```python
        message = model.invoke("What is the capital of Norway?")
        print(message.text)
        ```

        Pass messages as tuples, as dicts or as LangChain's classes:

        ```python
        messages = [("system", "You translate to French."), ("human", "I love programming.")]
        translated = model.invoke(messages)
        ```

        Stream the answer. The sum of the chunks is the message that `invoke` returns:

        ```python
        whole = None
        for chunk in model.stream("Tell me a story."):
            print(chunk.text, end="|")
            whole = chunk if whole is None else whole + chunk
        ```

        Call it from a coroutine. Every method has an async form:

        ```python
        async def ask() -> str:
            async for chunk in model.astream("Tell me a story."):
                print(chunk.text)
            return (await model.ainvoke("And another one.")).text
        ```

        Ask several questions at once:

        ```python
        answers = model.batch(["One?", "Two?", "Three?"], config={"max_concurrency": 2})
        ```

        Bind tools. The reply has the calls, and you send the results back:

        ```python
        def get_weather(city: str) -> str:
            '''Return the weather of a city.'''
            return f"Sunny in {city}."


        with_tools = model.bind_tools([get_weather])
        reply = with_tools.invoke("What is the weather in Oslo?")
        for call in reply.tool_calls:
            print(call["name"], call["args"])
        ```

        Force a tool, forbid tools, or limit a message to one call:

        ```python
        model.bind_tools([get_weather], tool_choice="get_weather")
        model.bind_tools([get_weather], tool_choice="none")
        model.bind_tools([get_weather], parallel_tool_calls=False)
        ```

        Use Google's own tools, such as Google Search:

        ```python
        with_search = model.bind_tools([{"google_search": {}}])
        ```

        Get an object of a class instead of text:

        ```python
        from pydantic import BaseModel, Field


        class Joke(BaseModel):
            setup: str = Field(description="The question of the joke")
            punchline: str = Field(description="The answer to the question")


        joke = model.with_structured_output(Joke).invoke("Tell me a joke about cats.")
        print(type(joke).__name__)
        ```

        ```text
        Joke
        ```

        Get the message as well, without an exception for an answer that does not fit:

        ```python
        result = model.with_structured_output(Joke, include_raw=True).invoke("Another one.")
        print(sorted(result))
        ```

        ```text
        ['parsed', 'parsing_error', 'raw']
        ```

        Let the model think more or less. Each model gets the nearest value that it accepts:

        ```python
        model.invoke("How many r are in strawberry?", reasoning_effort="low")
        ChatGeminiCompat(model="gemini-2.5-flash", api_key="...", thinking_budget=1024)
        ```

        Get summaries of the thoughts. They are `reasoning` blocks and not part of the text:

        ```python
        thinker = ChatGeminiCompat(model="gemini-3.8-flash", api_key="...", include_thoughts=True)
        reply = thinker.invoke("How many r are in strawberry?")
        thoughts = [block["reasoning"] for block in reply.content_blocks if block["type"] == "reasoning"]
        ```

        Send an image, a recording or a PDF as a content block:

        ```python
        from base64 import b64encode
        from pathlib import Path

        picture = b64encode(Path("picture.png").read_bytes()).decode()
        block = {"type": "image", "base64": picture, "mime_type": "image/png"}
        model.invoke([{"role": "user", "content": [{"type": "text", "text": "What is this?"}, block]}])
        ```

        Read the token counts. Thoughts count as output, and cached tokens are itemized:

        ```python
        usage = model.invoke("Hello").usage_metadata
        print(sorted(usage))
        ```

        Read what else is known about a reply:

        ```python
        metadata = model.invoke("Hello").response_metadata
        print(metadata["finish_reason"], metadata["model_provider"])
        ```

        ```text
        stop gemini_compat
        ```

        Count tokens before a call, offline:

        ```python
        count = model.get_num_tokens("How long is this text?")
        ```

        See the request before it is sent, with a note for each change:

        ```python
        body, notes = model.preview("Hello", seed=7)
        print([note.message for note in notes])
        ```

        ```text
        ['`seed` was left out: ai_studio does not take it.']
        ```

        See where requests go, and which credential they use:

        ```python
        info = model.endpoint_info()
        print(info["surface"], info["base_url"])
        ```

        ```text
        ai_studio https://generativelanguage.googleapis.com/v1beta/openai
        ```

        Change the thresholds of Google's content filters, or use a context cache:

        ```python
        ChatGeminiCompat(
            model="gemini-3.8-flash",
            api_key="...",
            safety_settings={"HARM_CATEGORY_DANGEROUS_CONTENT": "BLOCK_NONE"},
            cached_content="cachedContents/1",
        )
        ```

        Send a field that has no parameter. `google` goes under the literal key `extra_body` of the body:

        ```python
        model.invoke("Hello", extra_body={"google": {"thinking_config": {"include_thoughts": True}}})
        ```

        Limit the time of a call. Each key has a default:

        ```python
        ChatGeminiCompat(
            model="gemini-3.8-flash", api_key="...", timeout={"first_byte": 60, "between_chunks": 30, "total": 300}
        )
        ```

        Handle errors. The classes are openai's and LangChain's, too:

        ```python
        from langchain_gemini_compat import errors

        try:
            model.invoke("Hello")
        except errors.RateLimitError as error:
            print(error.retry_after)
        except errors.GeminiCompatError as error:
            print(error)
        ```

        Set a parameter in the config of a call, under any of its names:

        ```python
        from langchain_core.runnables import ConfigurableField

        chain = model.configurable_fields(model_name=ConfigurableField(id="model"))
        chain.invoke("Hello", config={"configurable": {"model": "gemini-2.5-flash"}})
        ```

        Copy the model with other parameters. The copy shares the connections:

        ```python
        creative = model.model_copy(update={"temperature": 1.5})
        ```

        Use another model after an error:

        ```python
        safe = model.with_fallbacks([ChatGeminiCompat(model="gemini-2.5-flash", api_key="...")])
        safe.invoke("Hello")
        ```

        Give the connections back at the end of a block:

        ```python
        with ChatGeminiCompat(model="gemini-3.8-flash", api_key="...") as short:
            short.invoke("Hello")
        ```

        Test without a network. The fake endpoint enforces Google's rules:

        ```python
        from langchain_gemini_compat.testing import FakeGemini

        print(FakeGemini(["Hello!"]).chat_model().invoke("Hi").text)
        ```

        ```text
        Hello!
        ```
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        populate_by_name=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
        defer_build=False,
    )

    catalog: str | None = Field(
        default=None,
        description="Path of a JSON or TOML file that corrects or adds facts about models. Default: `None`, which "
        "means the path in the environment variable `GEMINI_COMPAT_CATALOG`. Surfaces: all.",
    )
    _warned: set[str] = PrivateAttr(default_factory=set)

    @field_validator("catalog", mode="before")
    @classmethod
    def _read_path(cls, path: str | PathLike[str] | None) -> str | None:
        return None if path is None else fspath(path)

    @model_validator(mode="before")
    @classmethod
    def _forget_profile_of_other_model(cls, values: object) -> object:
        """Leave the profile out if all fields of another model are given, as `configurable_fields` does."""
        if (
            isinstance(values, dict)
            and is_from_catalog(values.get("profile"))
            and values.keys() >= cls.model_fields.keys()
        ):
            return {name: value for name, value in values.items() if name != "profile"}
        return values

    @model_validator(mode="after")
    def _complete_gemini_compat(self) -> Self:
        # Look up the family in any case, so that an invalid catalog raises an error here and not at the first call.
        known = build_profile(family_of(self.model, self.catalog), self.model, ModelProfile.__annotations__)
        if self.profile is None:
            # Not in the hook `_resolve_model_profile`: langchain-core validates its result, which is slow.
            self.profile: ModelProfile | None = known
        self._add_version("langchain-gemini-compat", _package_version())
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy of the model with the fields in `update` replaced.

        The copy and the model share connections as long as they have the same server and account. A copy for another
        model has the profile of that model, unless you set one.

        Args:
            update: New values by the name of the parameter, or by another of its names. They are not validated. A plain
                `api_key` becomes a secret.
            deep: Whether to copy the values of the fields too. HTTP clients and credentials are always shared.

        Returns:
            The copy.

        Examples:
            ```python
            creative = model.model_copy(update={"temperature": 1.5, "max_output_tokens": 32_000})
            ```
        """
        copy = super().model_copy(update=update, deep=deep)
        if "profile" not in (update or ()) and is_from_catalog(copy.profile):
            copy.profile = build_profile(family_of(copy.model, copy.catalog), copy.model, ModelProfile.__annotations__)
        return copy

    @property
    def _llm_type(self) -> str:
        return "gemini-compat-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        options = cast("dict[str, Any]", hide_secrets(self._options()))
        endpoint = self._connection.endpoint
        params = {"model": self.model or endpoint.name, "base_url": endpoint.base_url, **options}
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

            The message has the calls. Run them, and send their results back with the history:

            ```python
            with_tools = model.bind_tools([get_weather])
            history = [("user", "What is the weather in Oslo?")]
            history.append(with_tools.invoke(history))
            for call in history[-1].tool_calls:
                history.append({"role": "tool", "tool_call_id": call["id"], "content": "Sunny"})
            answer = with_tools.invoke(history)
            ```

            Google's own tools are dicts, and can be combined with yours:

            ```python
            model.bind_tools([get_weather, {"google_search": {}}])
            ```

            Tools and a schema for the answer:

            ```python
            class Report(BaseModel):
                summary: str


            model.bind_tools([get_weather], response_format=Report)
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

    def configurable_fields(
        self, **kwargs: AnyConfigurableField
    ) -> RunnableSerializable[LanguageModelInput, AIMessage]:
        """Return a model whose parameters can be set in the config of a call.

        Args:
            **kwargs: A `ConfigurableField` for each parameter, by any of the parameter's names.

        Returns:
            A runnable. A value in `config["configurable"]` takes precedence over that of the constructor.

        Raises:
            ValueError: For a name that is not a parameter, and for two names of one parameter.

        Examples:
            ```python
            from langchain_core.runnables import ConfigurableField

            chain = model.configurable_fields(model_name=ConfigurableField(id="model"))
            chain.invoke("Hello", config={"configurable": {"model": "gemini-2.5-flash"}})
            ```
        """
        return super().configurable_fields(**cast("dict[str, AnyConfigurableField]", self._rename_fields(kwargs)))

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

            With a JSON schema, the answer is a dict:

            ```python
            schema = {"title": "Todo", "type": "object", "properties": {"title": {"type": "string"}}}
            todo = model.with_structured_output(schema).invoke("Remind me to buy milk.")
            print(sorted(todo))
            ```

            ```text
            ['title']
            ```

            With `include_raw`, the result has the message, and an error of the parser is not raised:

            ```python
            result = model.with_structured_output(City, include_raw=True).invoke("The largest city of Norway?")
            print(type(result["parsed"]).__name__, result["parsing_error"])
            ```

            ```text
            City None
            ```

            A stream yields the object once the answer is complete:

            ```python
            for city in model.with_structured_output(City).stream("The largest city of Norway?"):
                print(type(city).__name__)
            ```

            ```text
            City
            ```

            Answer in JSON without a schema. The prompt describes the form:

            ```python
            model.with_structured_output(method="json_mode").invoke("Tell a joke as JSON: setup and punchline.")
            ```

            Let the model call tools before it answers:

            ```python
            model.with_structured_output(City, tools=[get_weather], include_raw=True)
            ```
        """
        from langchain_gemini_compat._model.structured_output import build_structured_output

        return build_structured_output(
            self,
            schema,
            method=method,
            include_raw=include_raw,
            tools=tools,
            strict=strict,
            options=kwargs,
            catalog=self.catalog,
        )

    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], tools: Sequence[Tool] | None = None) -> int:
        """Estimate the number of input tokens of messages, offline and without a tokenizer.

        Args:
            messages: Messages to count. Thought signatures are not counted.
            tools: Tools whose declarations are counted too. Default: none.

        Returns:
            The estimated number of tokens.

        Examples:
            ```python
            from langchain_core.messages import HumanMessage

            count = model.get_num_tokens_from_messages([HumanMessage("How are you?")], tools=[get_weather])
            ```
        """
        return estimate_messages(messages, format_tools(tools or ()))

    def get_num_tokens(self, text: str) -> int:
        """Estimate the number of tokens of a text, offline and without a tokenizer.

        Four Latin characters count as one token, and so does each character of a wide script. The estimate
        has not been compared with Google's counts. For exact numbers, read `usage_metadata` of a reply.

        Args:
            text: Text to count.

        Returns:
            The estimated number of tokens.

        Examples:
            ```python
            count = model.get_num_tokens("How are you?")
            ```
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
            return value != self.model
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
        if self.catalog:
            endpoint = replace(endpoint, catalog=self.catalog)
        request = build_payload(
            messages,
            options,
            endpoint,
            stream=stream,
            strict=self.strict,
            overridden=overridden,
            misspelled=find_misspelled(kwargs),
        )
        if warn:
            self._report_notes(request)
        return request

    def _report_notes(self, request: Request) -> None:
        """Warn once about each loss, and log each kind of change once. The reply's metadata has all notes."""
        ending = take_end_warning(request.endpoint)
        if ending:
            warnings.warn(ending, GeminiCompatWarning, stacklevel=4)
        for note in request.notes:
            if note.kind not in self._warned:
                self._warned.add(note.kind)
                _log.info("%s: %s", note.kind, note.message)
            if note.kind in ("dropped", "adjusted", "tight_limit", "misspelled") and note.message not in self._warned:
                self._warned.add(note.message)
                warnings.warn(note.message, GeminiCompatWarning, stacklevel=4)

    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
        """Return the `llm_output` of `generate` with several prompts, as `ChatOpenAI` does."""
        answered = next((name for output in llm_outputs if output and (name := output.get("model_name"))), None)
        name = answered or bare_model_name(self.model) or self._connection.endpoint.name
        return {"token_usage": sum_token_usage(llm_outputs), "model_name": name}

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
        asked = normalize_options(kwargs).get("model")
        params = LangSmithParams(
            ls_provider=PROVIDER,
            ls_model_name=bare_model_name(str(asked or self.model or self._connection.endpoint.name)),
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

    if TYPE_CHECKING:
        # pydantic builds the constructor from the fields. Type checkers and editors read this one, which has all names.
        # `tests/support/constructor_docs.py` writes its docstring, and `tests/typing` compares both with the fields.
        def __init__(
            self,
            *,
            # The model, and where it is.
            model: str | None = None,
            model_name: str | None = None,
            project: str | None = None,
            location: str | None = None,
            endpoint_id: str | None = None,
            base_url: str | Mapping[str, object] | None = None,
            openai_api_base: str | None = None,
            api_base: str | None = None,
            api_endpoint: str | None = None,
            client_options: str | Mapping[str, object] | types.ClientOptions | None = None,
            api_version: str = "v1",
            surface: Surface | None = None,
            vertexai: bool | None = None,
            # Credentials.
            api_key: types.ApiKey | None = None,
            google_api_key: types.ApiKey | None = None,
            gemini_api_key: types.ApiKey | None = None,
            openai_api_key: types.ApiKey | None = None,
            credentials: Credentials | None = None,
            quota_project_id: str | None = None,
            # Sampling.
            temperature: float | None = None,
            top_p: float | None = None,
            max_tokens: int | None = None,
            max_output_tokens: int | None = None,
            max_completion_tokens: int | None = None,
            stop: types.Stop | None = None,
            stop_sequences: types.Stop | None = None,
            n: int | None = None,
            candidate_count: int | None = None,
            seed: int | None = None,
            presence_penalty: float | None = None,
            frequency_penalty: float | None = None,
            logprobs: bool | None = None,
            top_logprobs: int | None = None,
            # Thinking.
            reasoning_effort: types.ReasoningEffort | Enum | None = None,
            thinking_level: types.ReasoningEffort | Enum | None = None,
            thinking_budget: int | None = None,
            include_thoughts: bool | None = None,
            thinking_config: types.ThinkingConfig | BaseModel | None = None,
            thought_tag_marker: str | None = None,
            # Gemini.
            safety_settings: types.SafetySettings | None = None,
            cached_content: str | None = None,
            media_resolution: types.MediaResolution | Enum | None = None,
            modalities: Sequence[types.Modality | Enum] | None = None,
            response_modalities: Sequence[types.Modality | Enum] | None = None,
            stream_function_call_arguments: bool | None = None,
            service_tier: types.ServiceTier | None = None,
            # JSON answers.
            response_mime_type: types.MimeType | None = None,
            response_schema: dict[str, Any] | type | None = None,
            generation_config: Mapping[str, object] | BaseModel | None = None,
            # Body keys, headers and query parameters.
            extra_body: dict[str, Any] | None = None,
            model_kwargs: dict[str, Any] | None = None,
            default_headers: types.Headers | None = None,
            additional_headers: types.Headers | None = None,
            extra_headers: types.Headers | None = None,
            headers: types.Headers | None = None,
            default_query: types.Headers | None = None,
            extra_query: types.Headers | None = None,
            # Transport.
            timeout: types.Timeout | None = None,
            request_timeout: types.Timeout | None = None,
            max_retries: int | None = 2,
            retries: int | None = 2,
            http_client: types.SyncClient | None = None,
            http_async_client: types.AsyncClient | None = None,
            # Replies and errors.
            streaming: bool = False,
            stream_usage: bool = True,
            include_response_headers: bool = False,
            strict: bool = False,
            invalid_tool_calls: types.InvalidToolCalls = "raise",
            catalog: str | PathLike[str] | None = None,
            # Parameters of every LangChain chat model.
            name: str | None = None,
            cache: BaseCache | bool | None = None,
            callbacks: Callbacks = None,
            tags: list[str] | None = None,
            metadata: dict[str, Any] | None = None,
            verbose: bool = False,
            rate_limiter: BaseRateLimiter | None = None,
            disable_streaming: bool | Literal["tool_calling"] = False,
            output_version: str | None = None,
            profile: ModelProfile | None = None,
            custom_get_token_ids: Callable[[str], list[int]] | None = None,
        ) -> None:
            """Build a chat model. No connection is opened and no credential is read.

            Args:
                model: Name of the model.
                    `gemini-x`, `google/gemini-x` and `models/gemini-x` mean the same on Google's surfaces. Compatible
                    servers get the name unchanged. Default: `""`, which works only for a Vertex AI endpoint of your
                    own, since it serves one model. Surfaces: all.
                model_name: Same as `model`.
                project: ID or number of the Google Cloud project.
                    It selects Vertex AI. Default: `None`, which means the environment variable `GOOGLE_CLOUD_PROJECT`,
                    then the project of the credentials. Surfaces: Vertex AI.
                location: Region such as `us-central1`, or `us`, `eu` or `global`.
                    It selects Vertex AI. Default: `None`, which means the environment variable `GOOGLE_CLOUD_LOCATION`,
                    then `global`. Surfaces: Vertex AI.
                endpoint_id: ID of a Vertex AI endpoint to which you deployed a model.
                    It selects Vertex AI. Default: `None`, which means Google's shared endpoint. Surfaces: Vertex AI.
                base_url: Address of the API without `/chat/completions` or `/embeddings`, with its scheme.
                    `api_endpoint` and `client_options` set it too. Default: `None`, which means Google's address for
                    the surface. Surfaces: all.
                openai_api_base: Same as `base_url`.
                api_base: Same as `base_url`.
                api_endpoint: Address of the API as Google's packages take it: a host, with or without a scheme.
                    It sets `base_url`.
                client_options: `ClientOptions` of Google's packages, or a dict with the keys `api_endpoint`, `api_key`
                    and `quota_project_id`.
                    It sets `base_url`, `api_key` and `quota_project_id`.
                api_version: Version of the Vertex AI API in the URL, such as `v1beta1`.
                    It is not used if `base_url` has a path. Default: `"v1"`. Surfaces: Vertex AI.
                surface: The API to use: `"vertex"`, `"ai_studio"` or `"openai_compatible"`.
                    Default: `None`, which means the surface that follows from the other arguments and the environment.
                    Surfaces: all.
                vertexai: `True` selects Vertex AI.
                    `False` selects AI Studio, unless `base_url` selects the surface. It sets `surface`.
                api_key: API key, or a function that returns a bearer token and is called for each request.
                    An async function works in async calls only. Not allowed together with `credentials`. Default:
                    `None`, which means `GOOGLE_API_KEY`, then `GEMINI_API_KEY` on AI Studio, and `credentials` on
                    Vertex AI. Surfaces: all.
                google_api_key: Same as `api_key`.
                gemini_api_key: Same as `api_key`.
                openai_api_key: Same as `api_key`.
                credentials: A `google.auth.credentials.Credentials` object.
                    It selects Vertex AI unless `base_url` is given. Not allowed together with `api_key`. Default:
                    `None`, which means application default credentials on Vertex AI. Surfaces: all.
                quota_project_id: Project that is billed for the requests, sent as the header `x-goog-user-project`.
                    Default: `None`, which means the quota project of the credentials. Surfaces: all.
                temperature: Randomness of the answer.
                    Gemini accepts 0 to 2. Default: `None`, which means the model's default. Surfaces: all.
                top_p: Share of the probability mass from which tokens are drawn, 0 to 1.
                    Default: `None`, which means the model's default. Surfaces: all.
                max_tokens: Maximum length of the reply in tokens, 1 or more.
                    Thoughts count. A value above the model's limit is lowered to that limit. Default: `None`, which
                    means the model's own limit. Surfaces: all.
                max_output_tokens: Same as `max_tokens`.
                max_completion_tokens: Same as `max_tokens`.
                stop: A text, or a list of texts, at which the answer ends.
                    Default: `None`. Surfaces: all.
                stop_sequences: Same as `stop`.
                n: Number of answers to one request.
                    Gemini and streams give one answer. Default: `None`, which means 1. Surfaces: compatible servers.
                candidate_count: Same as `n`.
                seed: Seed for sampling: equal requests with an equal seed get similar answers.
                    Default: `None`, which means a random seed. Surfaces: Vertex AI, compatible servers.
                presence_penalty: Penalty for tokens that the answer already has, from -2 to 2.
                    Default: `None`, which means no penalty. Surfaces: Vertex AI, compatible servers.
                frequency_penalty: Penalty for tokens by how often the answer already has them, from -2 to 2.
                    Default: `None`, which means no penalty. Surfaces: Vertex AI, compatible servers.
                logprobs: Whether the reply has the log probability of each token.
                    Default: `None`, which means no. Surfaces: compatible servers.
                top_logprobs: Number of alternatives per token with their log probabilities.
                    It needs `logprobs=True`. Default: `None`, which means none. Surfaces: compatible servers.
                reasoning_effort: How much the model thinks: `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or
                    `max`.
                    A Gemini model gets the nearest value that it accepts. Not allowed together with `thinking_level` or
                    `thinking_budget`. Default: `None`, which means the model's default. Surfaces: all.
                thinking_level: How much the model thinks, with the same values as `reasoning_effort`, sent as Google's
                    option.
                    Not allowed together with `reasoning_effort` or `thinking_budget`. Default: `None`, which means the
                    model's default. Surfaces: all.
                thinking_budget: Maximum length of the thoughts in tokens.
                    `0` turns thinking off, and `-1` lets the model choose. Not allowed together with `reasoning_effort`
                    or `thinking_level`. Default: `None`, which means the model's default. Surfaces: all.
                include_thoughts: Whether the reply has summaries of the model's thoughts, as `reasoning` blocks outside
                    of the text.
                    Default: `None`, which means no. Surfaces: all.
                thinking_config: Google's `ThinkingConfig`, or a dict with its keys.
                    It sets `thinking_level`, `thinking_budget` and `include_thoughts`.
                thought_tag_marker: Name of the tag around thoughts in the text that Vertex AI sends.
                    The package removes the tags. Default: `None`, which means `"thought"` with `include_thoughts`.
                    Surfaces: Vertex AI, compatible servers.
                safety_settings: Thresholds of Google's content filters: a list of `{category, threshold}` dicts or of
                    Google's `SafetySetting`, or a dict from category to threshold.
                    Use names or enum members. Default: `None`, which means Google's thresholds. Surfaces: all.
                cached_content: Resource name of a context cache, such as `cachedContents/1`.
                    The request starts with its content. Default: `None`. Surfaces: all.
                media_resolution: Resolution at which the model reads media, such as `MEDIA_RESOLUTION_LOW`.
                    A lower resolution costs fewer tokens. Default: `None`, which means the model's default. Surfaces:
                    Vertex AI, compatible servers.
                modalities: Kinds of output: `text`, `image` or `audio`, in lowercase or uppercase.
                    Default: `None`, which means the model's default. Surfaces: Vertex AI, compatible servers.
                response_modalities: Same as `modalities`.
                stream_function_call_arguments: Whether a stream delivers the arguments of a tool call in pieces instead
                    of at once.
                    Default: `None`, which means at once. Surfaces: Vertex AI, compatible servers.
                service_tier: Price and priority of the request, such as `flex`.
                    Vertex AI has `priority` only, as a header. Default: `None`, which means the server's own. Surfaces:
                    all.
                response_mime_type: `"application/json"` for an answer in JSON, or `"text/plain"`.
                    It sets `response_format`.
                response_schema: Schema of an answer in JSON: a pydantic class, a `TypedDict` or a JSON schema.
                    It sets `response_format`.
                generation_config: Google's `GenerateContentConfig`, or a dict with its keys.
                    It sets the options that it names, and overrides other arguments.
                extra_body: Fields that are merged into the body last and unchanged.
                    `google` goes under the body's literal `extra_body` key, everything else to the root. Default:
                    `None`. Surfaces: all.
                model_kwargs: Further keys of the request body.
                    `ChatGeminiCompat` leaves out keys that the surface does not take, with a warning.
                    `GeminiCompatEmbeddings` sends them all. Default: `{}`. Surfaces: all.
                default_headers: HTTP headers of every request, in addition to those of the package.
                    Default: `None`. Surfaces: all.
                additional_headers: Same as `default_headers`.
                extra_headers: Same as `default_headers`.
                headers: Same as `default_headers`.
                default_query: Query parameters of every request.
                    Default: `None`. Surfaces: all.
                extra_query: Same as `default_query`.
                timeout: Time limits of a call: seconds, a `timedelta`, `(connect, read)`, a `Timeouts` dict, or the
                    `Timeout` of httpx, httpx2 or openai.
                    Default: `None`, which means 30 s to connect, 600 s to the first chunk or the whole reply, 120 s
                    between chunks, 120 s for all waits between tries, and no limit for the whole call. Surfaces: all.
                request_timeout: Same as `timeout`.
                max_retries: Maximum number of retries of one call, 0 or more.
                    One request with a new token after a 401 does not count as a retry. Default: `2`. Surfaces: all.
                retries: Same as `max_retries`.
                http_client: Client for sync calls: `httpx.Client` with openai 2, `httpx2.Client` with openai 3.
                    Default: `None`, which means a client that the package builds. Surfaces: all.
                http_async_client: Client for async calls: `httpx.AsyncClient` with openai 2, `httpx2.AsyncClient` with
                    openai 3.
                    Default: `None`, which means a client that the package builds. Surfaces: all.
                streaming: Whether `invoke` and `ainvoke` stream the reply and return the sum of its chunks.
                    Embeddings ignore it. Default: `False`. Surfaces: all.
                stream_usage: Whether a stream asks for token counts.
                    Vertex AI always sends them. Default: `True`. Surfaces: AI Studio, compatible servers.
                include_response_headers: Whether `response_metadata["headers"]` of a message has the HTTP headers of
                    the reply, such as the request ID.
                    Cookies and credentials are left out. Default: `False`. Surfaces: all.
                strict: Whether to raise an error, before a request is sent, instead of repairing or leaving out a part
                    of the request.
                    Default: `False`, which repairs or leaves out the part with one warning. Surfaces: all.
                invalid_tool_calls: What happens to a malformed tool call: `"raise"` raises `MalformedToolCallError`,
                    `"keep"` puts it into `invalid_tool_calls` of the message.
                    Default: `"raise"`. Surfaces: all.
                catalog: Path of a JSON or TOML file that corrects or adds facts about models.
                    Default: `None`, which means the path in the environment variable `GEMINI_COMPAT_CATALOG`. Surfaces:
                    all.
                name: Name of the model in traces.
                    Default: `None`, which means the name of the class.
                cache: Whether answers are cached: `True` uses LangChain's global cache, and an object is the cache.
                    Default: `None`, which means the global cache if there is one.
                callbacks: Callback handlers of every call.
                    Default: `None`.
                tags: Tags of every call in traces.
                    Default: `None`.
                metadata: Metadata of every call in traces.
                    Default: `None`.
                verbose: Whether LangChain prints every call.
                    Default: LangChain's global setting.
                rate_limiter: Limits the number of requests before they are sent.
                    Default: `None`, which means no limit.
                disable_streaming: Whether `stream` sends the request of `invoke`.
                    `"tool_calling"` does so only with tools. Default: `False`.
                output_version: Form of the `content` of messages: `"v0"`, or `"v1"` for standard content blocks.
                    Default: `None`, which means the environment variable `LC_OUTPUT_VERSION`, then `v0`.
                profile: What the model can do, for agents and middleware.
                    Default: `None`, which means the known facts about the model.
                custom_get_token_ids: Function from a text to token IDs, for `get_token_ids`.
                    Default: `None`.
            """


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

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
from operator import attrgetter
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
from langchain_gemini_compat._model.bound_model import BoundModel, PreviewedRunnable, StructuredModel, adopt_runnable
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
from langchain_gemini_compat._response.usage_metadata import add_llm_output, sum_token_usage
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
    lc_tools = LazyModule("langchain_core.tools")

_log = logging.getLogger("langchain_gemini_compat")
_OPTION_NAMES = tuple(RequestFields.model_fields)
#: Returns the values of all options of a model. It is an `attrgetter` because it has to be fast: each call uses it four
#: times.
_read_options: Callable[[object], tuple[Any, ...]] = attrgetter(*_OPTION_NAMES)
#: The type of a tool for `bind_tools`. `BaseModel` is the base class of the tools in `google.genai.types`.
Tool: TypeAlias = "dict[str, Any] | type | Callable[..., Any] | lc_tools.BaseTool | BaseModel"
block_translator.register()


class ChatGeminiCompat(PreviewedRunnable, ConnectedModel, RequestFields, BaseChatModel):
    """Chat model for Gemini through Google's OpenAI-compatible Chat Completions API. Compatible servers also work.

    The arguments select the surface:

    - `project`, `location`, `endpoint_id` or `credentials`: Vertex AI
    - an API key alone: AI Studio
    - any other `base_url`: a compatible server. The server gets the model name unchanged, and no fields of Google

    The constructor opens no connection and reads no credential. Both happen at the first call.

    An argument takes precedence over the environment. These variables are read:

    - `GOOGLE_API_KEY`, then `GEMINI_API_KEY`: the key of AI Studio
    - `GOOGLE_CLOUD_PROJECT`: the project. It selects Vertex AI unless you pass `api_key` or `base_url`
    - `GOOGLE_CLOUD_LOCATION`: the location of Vertex AI. Without it, the location is `global`
    - `GOOGLE_APPLICATION_CREDENTIALS` and the other variables of google-auth: the credentials of Vertex AI
    - `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`, `SSL_CERT_DIR`: proxies and certificates
    - `GEMINI_COMPAT_CATALOG`: a file with facts about models
    - `LC_OUTPUT_VERSION`: with `v1`, the `content` of messages is a list of standard content blocks

    All parameters are keyword arguments, and all are optional except `model`. The `description` of each field gives its
    unit, its default and the surfaces that accept it, for example
    `ChatGeminiCompat.model_fields["max_tokens"].description`. Parameters by group:

    - model: `model`
    - endpoint: `project`, `location`, `endpoint_id`, `base_url`, `api_version`, `surface`
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

    Replies have the same form on every surface, streamed or not:

    - `text` is the answer as a string, without thoughts
    - `content_blocks` has text, thoughts (`reasoning`), images and tool calls, in LangChain's standard form
    - `tool_calls` has complete calls. A call that is malformed or cut off raises an error
    - `usage_metadata` has the token counts, where input plus output is the total
    - `response_metadata` has the finish reason, the model, the provider, and the retries and repairs of the call

    If the surface or the model does not accept a part of a request, the part is left out or adjusted. The package warns
    once, and `preview()` returns a note. With `strict=True`, such a part raises an error instead.

    No public source shows that the compatible API returns citations of Google Search, or that it counts tokens before a
    call. For these, use `ChatGoogleGenerativeAI`, which calls Google's native API. Create context caches with Google's
    SDK.

    Raises:
        ValueError: At construction, if the arguments select no endpoint or contradict each other.
        GeminiCompatError: At a call. `langchain_gemini_compat.errors` has a class for each kind of failure.

    Examples:
        The outputs come from an offline fake. A real model answers in its own words.

        **Choose the surface.** On AI Studio, pass a key, or set `GOOGLE_API_KEY`:

        ```python
        from langchain_gemini_compat import ChatGeminiCompat

        model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="...")
        ```

        On Vertex AI, pass a project. The credentials are the application default credentials. Create them once with
        `gcloud auth application-default login`:

        ```python
        vertex = ChatGeminiCompat(model="gemini-3.8-flash", project="my-project", location="global")
        ```

        Other Google credentials, such as those of a service account, are objects of google-auth:

        ```python
        from google.oauth2.credentials import Credentials

        ChatGeminiCompat(model="gemini-3.8-flash", project="my-project", credentials=Credentials("token"))
        ```

        `api_key` can also be a function that returns a bearer token. The package calls it for each request. An async
        function works in async calls only:

        ```python
        def read_token() -> str:
            '''Return a token from your own store.'''
            return "token"


        ChatGeminiCompat(model="gemini-3.8-flash", project="my-project", api_key=read_token)
        ```

        A model on your own endpoint of Vertex AI needs no name:

        ```python
        ChatGeminiCompat(project="my-project", location="us-central1", endpoint_id="123")
        ```

        A gateway or a local server (LiteLLM, vLLM, llama.cpp, Ollama) has a `base_url`. Set `surface` if the server
        passes requests on to Gemini, so that histories and tools get the form that Gemini requires:

        ```python
        ChatGeminiCompat(model="gemma-3-270m", base_url="http://127.0.0.1:8080/v1")
        ChatGeminiCompat(
            model="gemini-3.8-flash", base_url="http://127.0.0.1:4000/v1", api_key="...", surface="ai_studio"
        )
        ```

        See where requests go, and which credential they use:

        ```python
        for one in (model, vertex):
            info = one.endpoint_info()
            print(info["surface"], info["base_url"])
        ```

        ```text
        ai_studio https://generativelanguage.googleapis.com/v1beta/openai
        vertex https://aiplatform.googleapis.com/v1/projects/my-project/locations/global/endpoints/openapi
        ```

        **Options.** Set options for all calls. A call can override each of them:

        ```python
        careful = ChatGeminiCompat(
            model="gemini-3.8-flash",
            api_key="...",
            temperature=0,
            max_tokens=32_000,
            timeout=60,
            max_retries=3,
        )
        body, _ = careful.preview("Hello", temperature=1)
        print(body["temperature"], body["max_tokens"])
        ```

        ```text
        1 32000
        ```

        **Invoke.** Ask a question. The answer is an `AIMessage`, and its `text` is a string:

        ```python
        message = model.invoke("What is the capital of Norway?")
        print(message.text)
        ```

        ```text
        Oslo.
        ```

        The reply also contains the token counts, the finish reason and the tool calls:

        ```python
        print(message.usage_metadata["total_tokens"] > 0)
        print(message.response_metadata["finish_reason"], message.tool_calls)
        ```

        ```text
        True
        stop []
        ```

        **Messages.** Pass a history as tuples, as dicts or as LangChain's classes:

        ```python
        from langchain_core.messages import HumanMessage, SystemMessage

        model.invoke([("system", "You translate to French."), ("human", "I love programming.")])
        model.invoke([{"role": "user", "content": "I love programming. Say it in French."}])
        answer = model.invoke([SystemMessage("You translate to French."), HumanMessage("I love programming.")])
        print(answer.text)
        ```

        ```text
        J'adore la programmation.
        ```

        To continue a conversation, append the reply itself. It contains the thought signatures that Gemini 3 requires:

        ```python
        history = [HumanMessage("My name is Ada.")]
        history.append(model.invoke(history))
        history.append(HumanMessage("What is my name?"))
        print(model.invoke(history).text)
        ```

        ```text
        Your name is Ada.
        ```

        **Chains.** Put the model between a prompt and a parser. The chain has the same methods as the model:

        ```python
        from langchain_core.output_parsers import StrOutputParser
        from langchain_core.prompts import ChatPromptTemplate

        prompt = ChatPromptTemplate.from_messages([("system", "You translate to {language}."), ("human", "{text}")])
        translate = prompt | model | StrOutputParser()
        print(translate.invoke({"language": "French", "text": "I love programming."}))
        ```

        ```text
        J'adore la programmation.
        ```

        **Stream.** The sum of the chunks is the message that `invoke` returns, with token counts and finish reason:

        ```python
        whole = None
        for chunk in model.stream("Tell me a story."):
            print(chunk.text, end="|")
            whole = chunk if whole is None else whole + chunk
        print()
        print(whole.response_metadata["finish_reason"])
        ```

        ```text
        A cat sat |down. It purred.||
        stop
        ```

        Thoughts, images and tool calls of a stream are in `content_blocks` of the chunks. `stream_events` separates
        them:

        ```python
        events = model.stream_events("Tell me a story.", version="v3")
        print("".join(events.text))
        ```

        ```text
        A cat sat down. It purred.
        ```

        **Async.** Every method has an async form:

        ```python
        import asyncio


        async def ask() -> None:
            async for chunk in model.astream("Tell me a story."):
                print(chunk.text, end="|")
            print()
            first, second = await asyncio.gather(model.ainvoke("One?"), model.ainvoke("Two?"))
            print(first.text, second.text)


        asyncio.run(ask())
        ```

        ```text
        A cat sat |down. It purred.||
        Two. Three.
        ```

        **Batch.** Ask several questions at once. With `return_exceptions=True`, the list contains the exception of a
        failed question:

        ```python
        answers = model.batch(["One?", "Two?"], config={"max_concurrency": 2}, return_exceptions=True)
        print([answer.text for answer in answers])
        ```

        ```text
        ['Two.', 'Three.']
        ```

        **Tool calling.** Bind functions with a docstring, LangChain tools, or pydantic classes. The reply has the
        calls:

        ```python
        def get_weather(city: str) -> str:
            '''Return the weather of a city.'''
            return f"Sunny in {city}."


        with_tools = model.bind_tools([get_weather])
        question = HumanMessage("How is the weather in Oslo and in Rome?")
        reply = with_tools.invoke([question])
        for call in reply.tool_calls:
            print(call["name"], call["args"])
        ```

        ```text
        get_weather {'city': 'Oslo'}
        get_weather {'city': 'Rome'}
        ```

        Run the calls and send the results back. Append `reply` itself, and one result for each of its calls:

        ```python
        from langchain_core.messages import ToolMessage

        results = [ToolMessage(get_weather(**call["args"]), tool_call_id=call["id"]) for call in reply.tool_calls]
        print(with_tools.invoke([question, reply, *results]).text)
        ```

        ```text
        Sunny in Oslo. Sunny in Rome.
        ```

        Each call of Gemini 3 has a thought signature. The message keeps it, also in checkpoints, and the next request
        returns it:

        ```python
        signatures = reply.additional_kwargs["__gemini_function_call_thought_signatures__"]
        print(reply.tool_calls[0]["id"] in signatures)
        ```

        ```text
        True
        ```

        Force a tool, forbid tools, or limit a message to one call:

        ```python
        model.bind_tools([get_weather], tool_choice="get_weather")
        model.bind_tools([get_weather], tool_choice="any")
        model.bind_tools([get_weather], tool_choice="none")
        one_call = model.bind_tools([get_weather], parallel_tool_calls=False)
        print(len(one_call.invoke([question]).tool_calls))
        ```

        ```text
        1
        ```

        **Agents and LangGraph.** `create_agent` runs the tools until the model answers with text:

        ```python
        from langchain.agents import create_agent

        agent = create_agent(model, [get_weather])
        state = agent.invoke({"messages": [question]})
        print([message.type for message in state["messages"]])
        ```

        ```text
        ['human', 'ai', 'tool', 'tool', 'ai']
        ```

        To show an agent's answer as it is written, stream its messages:

        ```python
        for chunk, info in agent.stream({"messages": [question]}, stream_mode="messages"):
            if chunk.type == "AIMessageChunk" and chunk.text:
                print(info["langgraph_node"], repr(chunk.text))
        ```

        ```text
        model 'Sunny in Oslo. '
        model 'Sunny in Rome.'
        ```

        In a graph of your own, a node calls the model. Checkpoints keep messages with their signatures:

        ```python
        from langgraph.checkpoint.memory import InMemorySaver
        from langgraph.graph import START, MessagesState, StateGraph


        def call_model(state: MessagesState) -> dict:
            return {"messages": [model.invoke(state["messages"])]}


        builder = StateGraph(MessagesState).add_node(call_model).add_edge(START, "call_model")
        graph = builder.compile(checkpointer=InMemorySaver())
        thread = {"configurable": {"thread_id": "1"}}
        graph.invoke({"messages": "My name is Ada."}, thread)
        print(graph.invoke({"messages": "What is my name?"}, thread)["messages"][-1].text)
        ```

        ```text
        Your name is Ada.
        ```

        **Google's tools.** Google runs tools such as Google Search itself, so you get no tool call to answer. These
        tools are documented for Vertex AI only. Bind them as dicts, or as objects of `google.genai.types`:

        ```python
        with_search = vertex.bind_tools([{"google_search": {}}])
        body, _ = with_search.preview("Who won yesterday?")
        print(body["extra_body"])
        ```

        ```text
        {'google': {'tools': [{'google_search': {}}]}}
        ```

        **Structured output.** Get an object of a class instead of text:

        ```python
        from pydantic import BaseModel, Field


        class Joke(BaseModel):
            '''A joke to tell.'''

            setup: str = Field(description="The question of the joke")
            punchline: str = Field(description="The answer to the question")


        joke = model.with_structured_output(Joke).invoke("Tell me a joke about cats.")
        print(joke.punchline)
        ```

        ```text
        They are charging.
        ```

        The schema can also be a dataclass, a `TypedDict` or a JSON schema. For a `TypedDict` or a JSON schema, the
        answer is a dict:

        ```python
        from dataclasses import dataclass


        @dataclass
        class City:
            name: str
            population: int


        print(model.with_structured_output(City).invoke("The largest city of Norway?"))
        ```

        ```text
        City(name='Oslo', population=730000)
        ```

        `method` selects how the package requests the object: with a response schema (default), with a forced tool call,
        or as JSON without a schema:

        ```python
        for method in ("json_schema", "function_calling", "json_mode"):
            print(method, sorted(model.with_structured_output(City, method=method).preview("Oslo?")[0]))
        ```

        ```text
        json_schema ['messages', 'model', 'response_format']
        function_calling ['messages', 'model', 'tool_choice', 'tools']
        json_mode ['messages', 'model', 'response_format']
        ```

        With `include_raw`, you also get the message, and an answer that does not match the schema raises no error:

        ```python
        result = model.with_structured_output(Joke, include_raw=True).invoke("Tell me a joke about cats.")
        print(type(result["raw"]).__name__, type(result["parsed"]).__name__, result["parsing_error"])
        ```

        ```text
        AIMessage Joke None
        ```

        A stream yields the object as it grows. With a class as the schema, each item is a valid object:

        ```python
        schema = {"title": "Todo", "type": "object", "properties": {"title": {"type": "string"}}}
        for todo in model.with_structured_output(schema).stream("Remind me to buy milk."):
            print(todo)
        ```

        ```text
        {'title': 'Buy milk'}
        ```

        **Thinking.** Choose how much the model thinks. If the model does not accept the value, it gets the next
        lower value, or its lowest one, and a note says so:

        ```python
        body, notes = model.preview("How many r are in strawberry?", reasoning_effort="minimal")
        print(body["reasoning_effort"], [note.message for note in notes])
        ```

        ```text
        low ["`reasoning_effort` 'minimal' became 'low': gemini-3.8-flash accepts low, medium, high."]
        ```

        For Gemini 2.5, a budget of tokens is usual. 0 turns thinking off, and -1 lets the model choose:

        ```python
        ChatGeminiCompat(model="gemini-2.5-flash", api_key="...", thinking_budget=1024)
        ```

        Get summaries of the thoughts. They are `reasoning` blocks and never part of the text:

        ```python
        thinker = ChatGeminiCompat(model="gemini-3.8-flash", api_key="...", include_thoughts=True)
        for block in thinker.invoke("How many r are in strawberry?").content_blocks:
            print(block["type"], "|", block.get("reasoning") or block.get("text"))
        ```

        ```text
        reasoning | I spell the word: s-t-r-a-w-b-e-r-r-y.
        text | Three.
        ```

        **Image input.** Send an image as base64 or as a URL. Your machine does not download the URL:

        ```python
        from base64 import b64encode
        from pathlib import Path

        picture = b64encode(Path("picture.png").read_bytes()).decode()
        image = {"type": "image", "base64": picture, "mime_type": "image/png"}
        print(model.invoke([HumanMessage([{"type": "text", "text": "What is in this picture?"}, image])]).text)
        ```

        ```text
        A red square.
        ```

        **PDF input.** Send a PDF as a file block:

        ```python
        report = b64encode(Path("report.pdf").read_bytes()).decode()
        pdf = {"type": "file", "base64": report, "mime_type": "application/pdf"}
        print(model.invoke([HumanMessage([{"type": "text", "text": "Summarize the report."}, pdf])]).text)
        ```

        ```text
        Sales grew by a tenth.
        ```

        **Audio input.** Send a recording as an audio block:

        ```python
        sound = b64encode(Path("talk.mp3").read_bytes()).decode()
        audio = {"type": "audio", "base64": sound, "mime_type": "audio/mpeg"}
        print(model.invoke([HumanMessage([{"type": "text", "text": "Summarize the talk."}, audio])]).text)
        ```

        ```text
        The speaker explains tides.
        ```

        **Video input.** On Vertex AI, a file of Cloud Storage has a `gs://` URL:

        ```python
        video = {"type": "video", "url": "gs://my-bucket/film.mp4", "mime_type": "video/mp4"}
        print(vertex.invoke([HumanMessage([{"type": "text", "text": "Describe the film."}, video])]).text)
        ```

        ```text
        A train crosses a bridge.
        ```

        **Image output.** Image models answer with `image` blocks on Vertex AI and on gateways:

        ```python
        from base64 import b64decode

        painter = ChatGeminiCompat(
            model="gemini-3-pro-image-preview", project="my-project", modalities=["text", "image"]
        )
        for block in painter.invoke("Draw a red square.").content_blocks:
            if block["type"] == "image":
                size = Path("square.png").write_bytes(b64decode(block["base64"]))
                print(block["mime_type"], size, "bytes")
        ```

        ```text
        image/png 70 bytes
        ```

        **Token usage.** Thoughts count as output, and cached tokens and thoughts are itemized:

        ```python
        usage = model.invoke("Count my tokens.").usage_metadata
        print(usage["input_tokens"], usage["output_tokens"], usage["total_tokens"])
        print(usage["input_token_details"], usage["output_token_details"])
        ```

        ```text
        1200 43 1243
        {'cache_read': 1000} {'reasoning': 40}
        ```

        Estimate the number of tokens before a call, offline:

        ```python
        print(model.get_num_tokens("How long is this text?"))
        ```

        ```text
        10
        ```

        **Price.** With the extra `price`, a callback estimates what calls cost, in US dollars:

        ```python
        from langchain_gemini_compat.price import get_price_callback

        with get_price_callback() as prices:
            ChatGeminiCompat(model="gemini-2.5-flash", api_key="...").invoke("Count my tokens.")
        print(f"{prices.total_price:.6f}")
        ```

        ```text
        0.000198
        ```

        **Model profile.** LangChain's profile says what the model can do. Agents and middleware read it:

        ```python
        print(model.profile["max_input_tokens"], model.profile["image_inputs"])
        ```

        ```text
        1048576 True
        ```

        **Response metadata.** Read what else is known about a reply:

        ```python
        metadata = model.invoke("Hello").response_metadata
        for name in ("model_name", "model_provider", "finish_reason"):
            print(name, metadata[name])
        ```

        ```text
        model_name gemini-3.8-flash
        model_provider gemini_compat
        finish_reason stop
        ```

        With `include_response_headers`, the metadata also contains the headers of the reply, such as the request ID:

        ```python
        logged = ChatGeminiCompat(model="gemini-3.8-flash", api_key="...", include_response_headers=True)
        print(logged.invoke("Hello").response_metadata["headers"]["content-type"])
        ```

        ```text
        application/json; charset=UTF-8
        ```

        **Context caching.** Create a cache with Google's SDK and pass its name, to the model or to one call:

        ```python
        body, _ = model.preview("What does the report say?", cached_content="cachedContents/1")
        print(body["extra_body"])
        ```

        ```text
        {'google': {'cached_content': 'cachedContents/1'}}
        ```

        LangChain can also store whole answers. An equal question then gets the answer without a request:

        ```python
        from langchain_core.caches import InMemoryCache

        stored = ChatGeminiCompat(model="gemini-3.8-flash", api_key="...", cache=InMemoryCache())
        print(stored.invoke("Hello").text, stored.invoke("Hello").text)
        ```

        ```text
        Hello! Hello!
        ```

        **Safety settings.** Change the thresholds of Google's content filters:

        ```python
        frank = ChatGeminiCompat(
            model="gemini-3.8-flash", api_key="...", safety_settings={"HARM_CATEGORY_HARASSMENT": "BLOCK_NONE"}
        )
        print(frank.preview("Hello")[0]["extra_body"]["google"]["safety_settings"])
        ```

        ```text
        [{'category': 'HARM_CATEGORY_HARASSMENT', 'threshold': 'BLOCK_NONE'}]
        ```

        **Log probabilities.** Compatible servers return them. Google's services do not take the option:

        ```python
        local = ChatGeminiCompat(model="gemma-3-270m", base_url="http://127.0.0.1:8080/v1")
        body, _ = local.preview("Hello", logprobs=True, top_logprobs=2)
        print(body["logprobs"], body["top_logprobs"])
        ```

        ```text
        True 2
        ```

        **Preview.** See the request before it is sent, with a note for each change:

        ```python
        body, notes = model.preview("Hello", seed=7)
        print(sorted(body), [note.message for note in notes])
        ```

        ```text
        ['messages', 'model'] ['`seed` was left out: ai_studio does not take it.']
        ```

        With `strict`, a change raises an error instead:

        ```python
        from langchain_gemini_compat import errors

        try:
            ChatGeminiCompat(model="gemini-3.8-flash", api_key="...", strict=True).invoke("Hello", seed=7)
        except errors.UnsupportedParameterError as error:
            print(error)
        ```

        ```text
        `seed` was left out: ai_studio does not take it. (With `strict=True`, no changed request is sent.)
        ```

        **Other fields.** Send a field that has no parameter. The entry `google` is sent inside the body's key
        `extra_body`:

        ```python
        body, _ = model.preview("Hello", extra_body={"google": {"labels": {"team": "a"}}})
        print(body["extra_body"])
        ```

        ```text
        {'google': {'labels': {'team': 'a'}}}
        ```

        **Rate limits and retries.** After a 429 or a server error, the package waits as long as the server says. It
        sends the request again up to `max_retries` times. To stay below a limit, pass a rate limiter:

        ```python
        from langchain_core.rate_limiters import InMemoryRateLimiter

        limiter = InMemoryRateLimiter(requests_per_second=10)
        steady = ChatGeminiCompat(model="gemini-3.8-flash", api_key="...", rate_limiter=limiter, max_retries=5)
        ```

        **Timeouts.** Limit the time of a call. Each key has a default, and a single number also works:

        ```python
        ChatGeminiCompat(
            model="gemini-3.8-flash", api_key="...", timeout={"first_byte": 60, "between_chunks": 30, "total": 300}
        )
        ```

        **Proxy.** The variables `HTTPS_PROXY`, `NO_PROXY` and `SSL_CERT_FILE` of the environment apply. Or pass clients
        of your own, one for sync and one for async calls:

        ```python
        import openai

        proxy = "http://proxy.example:3128"
        ChatGeminiCompat(
            model="gemini-3.8-flash",
            api_key="...",
            http_client=openai.DefaultHttpxClient(proxy=proxy),
            http_async_client=openai.DefaultAsyncHttpxClient(proxy=proxy),
        )
        ```

        **Errors.** Each kind of failure has a class. Most classes derive from the openai and langchain-core classes for
        the same failure:

        ```python
        try:
            model.invoke("Fail, please.")
        except errors.RateLimitError as error:
            print(error.status_code, error.retry_after, isinstance(error, openai.RateLimitError))
        except errors.GeminiCompatError as error:
            print(error)
        ```

        ```text
        429 39043.0 True
        ```

        **Fallbacks.** Use another model after an error:

        ```python
        safe = model.with_fallbacks([ChatGeminiCompat(model="gemini-2.5-flash", api_key="...")])
        print(safe.invoke("Fail, please.").text)
        ```

        ```text
        I did not fail.
        ```

        **Traces.** LangSmith's traces and callbacks get the tags and metadata of a call. They do not get the API key:

        ```python
        model.invoke("Hello", config={"tags": ["greeting"], "metadata": {"user": "42"}})
        ```

        **Configurable fields.** Set a parameter in the config of a call, under any of its names:

        ```python
        from langchain_core.runnables import ConfigurableField

        chain = model.configurable_fields(model_name=ConfigurableField(id="model"))
        reply = chain.invoke("Hello", config={"configurable": {"model": "gemini-2.5-flash"}})
        print(reply.response_metadata["model_name"])
        ```

        ```text
        gemini-2.5-flash
        ```

        **Copies.** Copy the model with other parameters. The copy shares the connections:

        ```python
        creative = model.model_copy(update={"temperature": 1.5})
        print(creative.temperature)
        ```

        ```text
        1.5
        ```

        **Connections.** Models with the same server and account share connections. A `with` block releases them at its
        end:

        ```python
        with ChatGeminiCompat(model="gemini-3.8-flash", api_key="...") as short:
            short.invoke("Hello")
        ```

        **Testing.** The fake endpoint needs no network, and enforces Google's rules:

        ```python
        from langchain_gemini_compat.testing import Call, FakeGemini

        fake = FakeGemini([Call("get_weather", {"city": "Oslo"}), "It is sunny in Oslo."])
        agent = create_agent(fake.chat_model(), [get_weather])
        print(agent.invoke({"messages": "How is the weather in Oslo?"})["messages"][-1].text)
        print(len(fake.requests), fake.refusals)
        ```

        ```text
        It is sunny in Oslo.
        2 []
        ```

        In pytest, the fixture `fake_gemini` is a new fake for each test:

        ```python
        def test_greeting(fake_gemini):
            fake_gemini.answer_with(["Hello!"])
            assert fake_gemini.chat_model().invoke("Hi").text == "Hello!"
        ```

        A `Fault` is a reply that fails, such as a 503 of an overloaded model. The package then sends the request again:

        ```python
        from langchain_gemini_compat.testing import Fault

        fake = FakeGemini([Fault.overloaded(), "Hello!"])
        print(fake.chat_model().invoke("Hi").text, len(fake.requests))
        ```

        ```text
        Hello! 2
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
        """Return `values` without the catalog's `profile` if `values` contains all fields.

        `configurable_fields` builds a model from all fields of another model, sometimes with a new `model` name.
        Without the old `profile`, the new model looks up its own.
        """
        if (
            isinstance(values, dict)
            and is_from_catalog(values.get("profile"))
            and values.keys() >= cls.model_fields.keys()
        ):
            return {name: value for name, value in values.items() if name != "profile"}
        return values

    @model_validator(mode="after")
    def _complete_gemini_compat(self) -> Self:
        # Look up the family even if `profile` is set, so that an invalid catalog raises an error here and not at the
        # first call.
        known = build_profile(family_of(self.model, self.catalog), self.model, ModelProfile.__annotations__)
        if self.profile is None:
            # LangChain's hook `_resolve_model_profile` is not used, because langchain-core validates the hook's result,
            # which is slow.
            self.profile: ModelProfile | None = known
        self._add_version("langchain-gemini-compat", _package_version())
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy of the model with the fields in `update` replaced.

        The copy and the model share connections as long as they have the same server and account. A copy for another
        model has the profile of that model, unless you set one.

        Args:
            update: Maps the name or an alias of a parameter to the new value. The values are not validated. An
                `api_key` that is a string becomes a secret.
            deep: Whether to copy the values of the fields too. HTTP clients and credentials are always shared.

        Returns:
            The copy.

        Examples:
            ```python
            creative = model.model_copy(update={"temperature": 1.5, "max_output_tokens": 32_000})
            print(creative.temperature, creative.max_tokens)
            ```

            ```text
            1.5 32000
            ```
        """
        copy = super().model_copy(update=update, deep=deep)
        if "profile" not in (update or ()):
            copy.profile = _choose_profile(copy)
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
        """Yield the fields from a copy of `__dict__`, because langchain-core may add entries in another thread."""
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
            body, notes = model.bind_tools(tools).preview("Hello", seed=7)
            print(sorted(body), [note.message for note in notes])
            ```

            ```text
            ['messages', 'model', 'tools'] ['`seed` was left out: ai_studio does not take it.']
            ```
        """
        # `ls_structured_output_format` describes a schema for tracers. LangChain removes this option before a call.
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
                name of a tool, a list of names, or OpenAI's dict. Google does not accept a choice by name, so it gets
                only the tools that you name, with the choice `required`. Default: the model decides.
            parallel_tool_calls: If `False`, the message has at most one tool call. Google has no such option, so the
                package leaves out the further calls of a reply. Default: no limit.
            response_format: Schema of the answer for structured output together with tools. Default: none.
            **kwargs: Other options of a request. Compatible servers get `strict` with each tool; Gemini has no such
                option.

        Returns:
            A runnable from messages to an `AIMessage`. Its `preview` shows the request with the tools.

        Raises:
            UnsupportedParameterError: For an option that looks like a secret or can only be set on the model.

        Examples:
            ```python
            reply = model.bind_tools([get_weather], tool_choice="any").invoke("How is the weather in Oslo?")
            print(reply.tool_calls[0]["name"], reply.tool_calls[0]["args"])
            ```

            ```text
            get_weather {'city': 'Oslo'}
            ```

            The message has the calls. Run them, and send their results back with the history:

            ```python
            with_tools = model.bind_tools([get_weather])
            history = [("user", "How is the weather in Oslo and in Rome?")]
            history.append(with_tools.invoke(history))
            for call in history[-1].tool_calls:
                history.append({"role": "tool", "tool_call_id": call["id"], "content": "Sunny"})
            print(with_tools.invoke(history).text)
            ```

            ```text
            Sunny Sunny
            ```

            Google's own tools are dicts, and can be combined with yours:

            ```python
            body, _ = model.bind_tools([get_weather, {"google_search": {}}]).preview("Hello")
            print(len(body["tools"]), body["extra_body"]["google"]["tools"])
            ```

            ```text
            1 [{'google_search': {}}]
            ```

            Tools and a schema for the answer:

            ```python
            class Report(BaseModel):
                summary: str


            body, _ = model.bind_tools([get_weather], response_format=Report).preview("Hello")
            print(body["response_format"]["json_schema"]["name"])
            ```

            ```text
            Report
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
        # Hide the methods below from type checkers, for two reasons. With a visible `__setattr__`, type checkers would
        # accept any attribute. And the return type of `bind` differs between versions of langchain-core.
        def __setattr__(self, name: str, value: Any) -> None:
            """Set an attribute. A new `model` or `catalog` also changes the profile."""
            super().__setattr__(name, value)
            if name in ("model", "catalog"):
                self.profile = _choose_profile(self)

        def bind(self, **kwargs: Any) -> BoundModel:
            """Return a model with options of a request bound to it.

            Raises `UnsupportedParameterError` for an option that looks like a secret, because `repr` shows bound
            options.
            """
            normalize_options(kwargs)
            return BoundModel(bound=self, kwargs=kwargs)

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
            reply = chain.invoke("Hello", config={"configurable": {"model": "gemini-2.5-flash"}})
            print(reply.response_metadata["model_name"])
            ```

            ```text
            gemini-2.5-flash
            ```
        """
        fields = cast("dict[str, AnyConfigurableField]", self._rename_fields(kwargs))
        return cast(
            "RunnableSerializable[LanguageModelInput, AIMessage]", adopt_runnable(super().configurable_fields(**fields))
        )

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


            print(model.with_structured_output(City).invoke("The largest city of Norway?"))
            ```

            ```text
            name='Oslo' population=730000
            ```

            With a JSON schema, the answer is a dict:

            ```python
            schema = {"title": "Todo", "type": "object", "properties": {"title": {"type": "string"}}}
            print(model.with_structured_output(schema).invoke("Remind me to buy milk."))
            ```

            ```text
            {'title': 'Buy milk'}
            ```

            With `include_raw`, the result has the message, and an error of the parser is not raised:

            ```python
            result = model.with_structured_output(City, include_raw=True).invoke("The largest city of Norway?")
            print(type(result["parsed"]).__name__, result["parsing_error"])
            ```

            ```text
            City None
            ```

            A stream yields the object as soon as it is valid:

            ```python
            for city in model.with_structured_output(City).stream("The largest city of Norway?"):
                print(type(city).__name__)
            ```

            ```text
            City
            ```

            Answer in JSON without a schema. The prompt describes the form:

            ```python
            joke = model.with_structured_output(method="json_mode").invoke("Tell a joke as JSON: setup and punchline.")
            print(sorted(joke))
            ```

            ```text
            ['punchline', 'setup']
            ```

            Let the model call tools before it answers:

            ```python
            advised = model.with_structured_output(City, tools=[get_weather], include_raw=True)
            print(advised.invoke("How is the weather in Oslo?")["raw"].tool_calls[0]["name"])
            ```

            ```text
            get_weather
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

            messages = [HumanMessage("How are you?")]
            print(model.get_num_tokens_from_messages(messages))
            print(model.get_num_tokens_from_messages(messages, tools=[get_weather]) > 20)
            ```

            ```text
            7
            True
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
            print(model.get_num_tokens("How are you?"))
            ```

            ```text
            7
            ```
        """
        from langchain_core.messages import HumanMessage

        return estimate_messages([HumanMessage(text)], [])

    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        # LangChain calls this method before it starts a trace, so a secret that is refused here is never traced.
        normalize_options(kwargs)
        # Do not call langchain-core's method, which returns the same unless a subclass overrides the deprecated method
        # `dict`. It changes Python's filters for warnings, which all threads share, and then restores them.
        return {**self.asdict(), "stop": stop, **cast("dict[str, Any]", hide_secrets(kwargs))}

    def _convert_input(self, model_input: LanguageModelInput) -> PromptValue:
        return shield_results(super()._convert_input(adopt_wire_fields(model_input)))

    def _options(self, kwargs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the options of a request.

        An option of the call overrides the option of the constructor. Both override `model_kwargs`.
        """
        return self._resolve_options(kwargs)[0]

    def _resolve_options(self, kwargs: Mapping[str, Any] | None) -> tuple[dict[str, Any], list[str]]:
        """Return the options of a request, and the keys of `model_kwargs` that constructor arguments override."""
        own = {name: value for name, value in zip(_OPTION_NAMES, _read_options(self), strict=True) if value is not None}
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
        """Return whether a constructor argument with another value replaces the entry `name` of `model_kwargs`."""
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
        """Warn about notes that the user should see, and log the first note of each kind.

        The warnings are about parameters that were left out or adjusted, about misspelled names, and about a
        `max_tokens` that thinking may use up. There is also a warning if the service of the model ends soon or has
        ended. Each warning is given once. The metadata of the reply contains all notes.
        """
        ending = take_end_warning(request.endpoint)
        if ending:
            warnings.warn(ending, GeminiCompatWarning, stacklevel=4)
        warned = self._warned
        for note in request.notes:
            if note.kind not in warned:
                warned.add(note.kind)
                _log.info("%s: %s", note.kind, note.message)
            if note.kind in ("dropped", "adjusted", "tight_limit", "misspelled") and note.message not in warned:
                warned.add(note.message)
                warnings.warn(note.message, GeminiCompatWarning, stacklevel=4)

    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
        """Combine the `llm_output` dicts of several prompts of `generate`, as `ChatOpenAI` does."""
        answered = next((name for output in llm_outputs if output and (name := output.get("model_name"))), None)
        name = answered or bare_model_name(self.model) or self._connection.endpoint.name
        return {"token_usage": sum_token_usage(llm_outputs), "model_name": name}

    # This overrides a private method of langchain-core 1.6 to 1.8. If a later version does not call it, `llm_output` is
    # empty with `streaming=True`. Nothing else changes.
    def _generate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return add_llm_output(super()._generate_with_cache(messages, stop, run_manager, **kwargs))

    async def _agenerate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return add_llm_output(await super()._agenerate_with_cache(messages, stop, run_manager, **kwargs))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._build(messages, stop, kwargs, stream=False)
        return _call.complete(request, self._open_transport(), self.rate_limiter)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._build(messages, stop, kwargs, stream=False)
        return await _call.acomplete(request, await self._aopen_transport(), self.rate_limiter)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        # This function has no `yield`, because a further generator would take as much time for each chunk as decoding
        # the chunk.
        request = self._build(messages, stop, kwargs, stream=True)
        chunks = _call.stream(request, self._open_transport(), ReplyDecoder, self.rate_limiter)
        return _report_tokens(chunks, run_manager) if run_manager else chunks

    def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        request = self._build(messages, stop, kwargs, stream=True)
        chunks = _call.astream(request, self._aopen_transport, ReplyDecoder, self.rate_limiter)
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
        with closing(_call.stream(request, self._open_transport(), open_decoder, self.rate_limiter)) as events:
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
        async with aclosing(_call.astream(request, self._aopen_transport, open_decoder, self.rate_limiter)) as events:
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
        # This signature is for type checkers and editors, and also has the aliases. At run time, pydantic builds the
        # constructor from the fields. `tests/support/constructor_docs.py` writes the docstring. `tests/typing` compares
        # signature and docstring with the fields.
        def __init__(
            self,
            *,
            # Parameters: model and endpoint.
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
            # Parameters: credentials.
            api_key: types.ApiKey | None = None,
            google_api_key: types.ApiKey | None = None,
            gemini_api_key: types.ApiKey | None = None,
            openai_api_key: types.ApiKey | None = None,
            credentials: Credentials | None = None,
            quota_project_id: str | None = None,
            # Parameters: sampling.
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
            # Parameters: thinking.
            reasoning_effort: types.ReasoningEffort | Enum | None = None,
            thinking_level: types.ReasoningEffort | Enum | None = None,
            thinking_budget: int | None = None,
            include_thoughts: bool | None = None,
            thinking_config: types.ThinkingConfig | BaseModel | None = None,
            thought_tag_marker: str | None = None,
            # Parameters: Gemini.
            safety_settings: types.SafetySettings | None = None,
            cached_content: str | None = None,
            media_resolution: types.MediaResolution | Enum | None = None,
            modalities: Sequence[types.Modality | Enum] | None = None,
            response_modalities: Sequence[types.Modality | Enum] | None = None,
            stream_function_call_arguments: bool | None = None,
            service_tier: types.ServiceTier | None = None,
            # Parameters: JSON answers.
            response_mime_type: types.MimeType | None = None,
            response_schema: dict[str, Any] | type | None = None,
            generation_config: Mapping[str, object] | BaseModel | None = None,
            # Parameters: keys of the body, headers and query parameters.
            extra_body: dict[str, Any] | None = None,
            model_kwargs: dict[str, Any] | None = None,
            default_headers: types.Headers | None = None,
            additional_headers: types.Headers | None = None,
            extra_headers: types.Headers | None = None,
            headers: types.Headers | None = None,
            default_query: types.Headers | None = None,
            extra_query: types.Headers | None = None,
            # Parameters: transport.
            timeout: types.Timeout | None = None,
            request_timeout: types.Timeout | None = None,
            max_retries: int | None = 2,
            retries: int | None = 2,
            http_client: types.SyncClient | None = None,
            http_async_client: types.AsyncClient | None = None,
            # Parameters: replies and errors.
            streaming: bool = False,
            stream_usage: bool = True,
            include_response_headers: bool = False,
            strict: bool = False,
            invalid_tool_calls: types.InvalidToolCalls = "raise",
            catalog: str | PathLike[str] | None = None,
            # Parameters that every chat model of LangChain has.
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
                    own. Surfaces: all.
                model_name: Same as `model`.
                project: ID or number of the Google Cloud project.
                    It selects Vertex AI. Domain-scoped IDs such as `example.com:my-project` are valid. Default: `None`,
                    which means the environment variable `GOOGLE_CLOUD_PROJECT`, then the project of the credentials.
                    Surfaces: Vertex AI.
                location: Region such as `us-central1`, or `us`, `eu` or `global`.
                    It selects Vertex AI. Newer models are only in `global`, `us` and `eu`. Default: `None`, which means
                    the environment variable `GOOGLE_CLOUD_LOCATION`, then `global`. Surfaces: Vertex AI.
                endpoint_id: ID of a Vertex AI endpoint to which you deployed a model.
                    It selects Vertex AI. The endpoint serves one model, so `model` may be left out. Default: `None`,
                    which means Google's shared endpoint. Surfaces: Vertex AI.
                base_url: Address of the API without `/chat/completions` or `/embeddings`, with its scheme.
                    `api_endpoint` and `client_options` set it too. The end of the address selects the surface:
                    `/endpoints/openapi` is Vertex AI, and `/v1beta/openai` is AI Studio. Default: `None`, which means
                    Google's address for the surface. Surfaces: all.
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
                    Set it for a gateway that passes requests on to Gemini, so that the package sends histories and
                    tools as Gemini requires. Default: `None`, which means the surface that follows from the other
                    arguments and the environment. Surfaces: all.
                vertexai: `True` selects Vertex AI.
                    `False` selects AI Studio, unless `base_url` selects the surface. It sets `surface`.
                api_key: API key, or a function that returns a bearer token and is called for each request.
                    An async function works in async calls only. Not allowed together with `credentials`. `repr` and
                    traces do not show the key. Default: `None`, which means `GOOGLE_API_KEY`, then `GEMINI_API_KEY` on
                    AI Studio, and `credentials` on Vertex AI. Surfaces: all.
                google_api_key: Same as `api_key`.
                gemini_api_key: Same as `api_key`.
                openai_api_key: Same as `api_key`.
                credentials: A `google.auth.credentials.Credentials` object.
                    It selects Vertex AI unless `base_url` is given. Not allowed together with `api_key`. The token is
                    refreshed before it expires, once for all threads and tasks. Default: `None`, which means
                    application default credentials on Vertex AI. Surfaces: all.
                quota_project_id: Project that is billed for the requests, sent as the header `x-goog-user-project`.
                    Default: `None`, which means the quota project of the credentials. Surfaces: all.
                temperature: Randomness of the answer.
                    Gemini accepts 0 to 2. 0 gives the likeliest words, and a higher value gives more varied answers.
                    Default: `None`, which means the model's default. Surfaces: all.
                top_p: Tokens are drawn only from the likeliest tokens whose probabilities add up to this value, 0 to 1.
                    Default: `None`, which means the model's default. Surfaces: all.
                max_tokens: Maximum length of the reply in tokens, 1 or more.
                    Thoughts are included. A value above the model's limit is lowered to that limit. If the answer is
                    cut off, the finish reason is `length`. If thoughts used all tokens, the call raises
                    `EmptyReplyError`. Default: `None`, which means the model's own limit. Surfaces: all.
                max_output_tokens: Same as `max_tokens`.
                max_completion_tokens: Same as `max_tokens`.
                stop: A string, or a list of strings, at which the answer ends.
                    The answer does not contain the string itself. Default: `None`. Surfaces: all.
                stop_sequences: Same as `stop`.
                n: Number of answers to one request.
                    Gemini models, and streams of any model, return one answer. Default: `None`, which means 1.
                    Surfaces: compatible servers.
                candidate_count: Same as `n`.
                seed: Seed for sampling: equal requests with an equal seed get similar answers.
                    Default: `None`, which means a random seed. Surfaces: Vertex AI, compatible servers.
                presence_penalty: Penalty for tokens that the answer already contains, from -2 to 2.
                    Default: `None`, which means no penalty. Surfaces: Vertex AI, compatible servers.
                frequency_penalty: Penalty that grows with the number of times that the answer already contains the
                    token, from -2 to 2.
                    Default: `None`, which means no penalty. Surfaces: Vertex AI, compatible servers.
                logprobs: Whether the reply has the log probability of each token.
                    The values are in `response_metadata["logprobs"]` of the message. Default: `None`, which means no.
                    Surfaces: compatible servers.
                top_logprobs: Number of alternatives per token with their log probabilities.
                    Set it together with `logprobs=True`. Default: `None`, which means none. Surfaces: compatible
                    servers.
                reasoning_effort: How much the model thinks: `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or
                    `max`.
                    A Gemini model gets its highest value that is not above yours, otherwise its lowest value. Not
                    allowed together with `thinking_level` or `thinking_budget`. `none` turns thinking off, if the model
                    allows this. Default: `None`, which means the model's default. Surfaces: all.
                thinking_level: How much the model thinks, with the same values as `reasoning_effort`.
                    It is sent as Google's option `thinking_level`. Not allowed together with `reasoning_effort` or
                    `thinking_budget`. Default: `None`, which means the model's default. Surfaces: all.
                thinking_budget: Maximum length of the thoughts in tokens.
                    `0` turns thinking off, and `-1` lets the model choose. Not allowed together with `reasoning_effort`
                    or `thinking_level`. Default: `None`, which means the model's default. Surfaces: all.
                include_thoughts: Whether the reply has summaries of the model's thoughts, as `reasoning` blocks outside
                    of the text.
                    Thoughts cost output tokens with and without the summaries. Default: `None`, which means no.
                    Surfaces: all.
                thinking_config: Google's `ThinkingConfig`, or a dict with its keys.
                    It sets `thinking_level`, `thinking_budget` and `include_thoughts`.
                thought_tag_marker: Name of the tag with which Vertex AI marks thoughts in the text.
                    The package removes the tags. Default: `None`, which means `"thought"` if `include_thoughts` is set.
                    Surfaces: Vertex AI, compatible servers.
                safety_settings: Thresholds of Google's content filters: a list of `{category, threshold}` dicts or of
                    Google's `SafetySetting`, or a dict from category to threshold.
                    Categories and thresholds are names or enum members. Default: `None`, which means Google's
                    thresholds. Surfaces: all.
                cached_content: Resource name of a context cache, such as `cachedContents/1`.
                    The cached content comes first in the prompt. Create the cache with Google's SDK, for the same
                    model. Gemini 4 has no such caches, so the name is left out. Default: `None`. Surfaces: all.
                media_resolution: Resolution at which the model reads media, such as `MEDIA_RESOLUTION_LOW`.
                    A lower resolution costs fewer tokens. Default: `None`, which means the model's default. Surfaces:
                    Vertex AI, compatible servers.
                modalities: Kinds of output: `text`, `image` or `audio`, in lowercase or uppercase.
                    Images of a reply are `image` blocks of the message. Default: `None`, which means the model's
                    default. Surfaces: Vertex AI, compatible servers.
                response_modalities: Same as `modalities`.
                stream_function_call_arguments: Whether a stream delivers the arguments of a tool call in several chunks
                    instead of one.
                    The sum of the chunks does not depend on this parameter. Default: `None`, which means all in one
                    chunk. Surfaces: Vertex AI, compatible servers.
                service_tier: Price and priority of the request, such as `flex`.
                    Vertex AI accepts only `priority`, which is sent as a header. Default: `None`, which means the
                    server's default. Surfaces: all.
                response_mime_type: `"application/json"` for an answer in JSON, or `"text/plain"`.
                    It sets `response_format`.
                response_schema: Schema of an answer in JSON: a pydantic class, a `TypedDict` or a JSON schema.
                    It sets `response_format`.
                generation_config: Google's `GenerateContentConfig`, or a dict with its keys.
                    It sets the options for its keys, and overrides the arguments of the same options.
                extra_body: Fields that the package adds to the finished body without a check.
                    The entry `google` is sent inside the body's key `extra_body`, and all other entries at the root.
                    Default: `None`. Surfaces: all.
                model_kwargs: Further keys of the request body.
                    `ChatGeminiCompat` leaves out keys that the surface does not take, with a warning.
                    `GeminiCompatEmbeddings` sends all keys. Default: `{}`. Surfaces: all.
                default_headers: HTTP headers of every request, in addition to those of the package.
                    A line break, or a character that is not ASCII, raises `ValueError`. `repr` does not show the
                    values. Default: `None`. Surfaces: all.
                additional_headers: Same as `default_headers`.
                extra_headers: Same as `default_headers`.
                headers: Same as `default_headers`.
                default_query: Query parameters of every request.
                    An example is `api-version`, for a gateway that requires it. Default: `None`. Surfaces: all.
                extra_query: Same as `default_query`.
                timeout: Time limits of a call: seconds, a `timedelta`, `(connect, read)`, a `Timeouts` dict, or the
                    `Timeout` of httpx, httpx2 or openai.
                    A number limits the time to the first chunk and between chunks. An expired limit raises
                    `RequestTimeoutError`. Default: `None`, which means 30 s to connect, 600 s to the first chunk or the
                    whole reply, 120 s between chunks, 120 s for all waits between tries, and no limit for the whole
                    call. Surfaces: all.
                request_timeout: Same as `timeout`.
                max_retries: Maximum number of retries of one call, 0 or more.
                    One request with a new token after a 401 does not count as a retry. The package retries 408, 429,
                    5xx, failed connections, expired limits, and replies that are empty or have a malformed call. It
                    waits as long as the server says. If the server says nothing, it waits 0.5 s, and twice as long
                    after each further try. Default: `2`. Surfaces: all.
                retries: Same as `max_retries`.
                http_client: Client for sync calls: `httpx.Client` with openai 2, `httpx2.Client` with openai 3.
                    The client's proxies, certificates and connection limits apply. The package neither closes nor
                    shares the client. Default: `None`, which means a client that the package builds. Surfaces: all.
                http_async_client: Client for async calls: `httpx.AsyncClient` with openai 2, `httpx2.AsyncClient` with
                    openai 3.
                    The package neither closes nor shares the client. Google's requests for access tokens do not use
                    this client. Default: `None`, which means a client that the package builds. Surfaces: all.
                streaming: Whether `invoke` and `ainvoke` stream the reply and return the sum of its chunks.
                    With `True`, the limit `first_byte` applies to the first chunk and not to the whole reply.
                    Embeddings ignore this parameter. Default: `False`. Surfaces: all.
                stream_usage: Whether a stream asks for token counts.
                    Vertex AI always sends them. The counts are in `usage_metadata` of the last chunk. Default: `True`.
                    Surfaces: AI Studio, compatible servers.
                include_response_headers: Whether `response_metadata["headers"]` of a message has the HTTP headers of
                    the reply, such as the request ID.
                    Cookies and credentials are left out. Default: `False`. Surfaces: all.
                strict: Whether the package raises an error if it would have to repair or leave out a part of the
                    request.
                    Default: `False`, which means that it changes the request and warns once. Surfaces: all.
                invalid_tool_calls: What happens to a malformed tool call: `"raise"` raises `MalformedToolCallError`,
                    `"keep"` puts it into `invalid_tool_calls` of the message.
                    With `"raise"`, the package first sends the request again, up to `max_retries` times. Default:
                    `"raise"`. Surfaces: all.
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
                rate_limiter: Rate limiter that each request waits for before it is sent.
                    Default: `None`, which means no limit.
                disable_streaming: Whether `stream` sends the request of `invoke` and returns the whole reply as one
                    chunk.
                    With `"tool_calling"`, only calls with tools do so. Default: `False`.
                output_version: Form of the `content` of messages: `"v0"`, or `"v1"` for standard content blocks.
                    Default: `None`, which means the environment variable `LC_OUTPUT_VERSION`, then `v0`.
                profile: What the model can do, for agents and middleware.
                    Default: `None`, which means the known facts about the model.
                custom_get_token_ids: Function from a text to token IDs, for `get_token_ids`.
                    Default: `None`.
            """


def _choose_profile(model: ChatGeminiCompat) -> ModelProfile | None:
    """Return the profile that the caller set or changed, else the catalog's profile of the current `model`."""
    if model.profile is None or is_from_catalog(model.profile):
        return build_profile(family_of(model.model, model.catalog), model.model, ModelProfile.__annotations__)
    return model.profile


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
    """Return the ID that langchain-core gives to a message if the model sets none. The ID contains the run's ID.

    Without `run_manager`, return an empty string.
    """
    return f"{LC_ID_PREFIX}-{run_manager.run_id}" if run_manager else ""

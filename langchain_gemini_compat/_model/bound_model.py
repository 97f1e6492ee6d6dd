"""What `bind`, `bind_tools` and `with_structured_output` return: LangChain's runnables with a `preview` method.

LangChain's own `RunnableBinding` passes an unknown method on to the model and drops the bound options, so its `preview`
would show a request without them. The two classes are serialized under the names of their base classes, and are traced
under them. After `langchain_core.load.load`, a binding is LangChain's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, cast

from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableBinding, RunnableConfig, RunnableSequence
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.config import merge_configs
from langchain_core.runnables.configurable import DynamicRunnable
from pydantic import ConfigDict

from langchain_gemini_compat._wire.json_types import JsonObject
from langchain_gemini_compat._wire.notes import Note

#: Options of `bind_tools`, which structured output does not take over.
_OF_TOOLS = frozenset({"tools", "tool_choice", "parallel_tool_calls", "response_format"})


class _Previewing(Protocol):
    """A runnable with the method `preview`."""

    def preview(self, messages: LanguageModelInput, **kwargs: Any) -> tuple[JsonObject, list[Note]]:
        """Return the request, and the notes about it."""
        ...


class _Model(Protocol):
    """A chat model, or one with bound options."""

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> BoundModel:
        """Return the model with tools bound to it."""
        ...

    def with_structured_output(self, schema: dict[str, Any] | type | None = None, **kwargs: Any) -> StructuredModel:
        """Return a runnable whose answers are objects of `schema`."""
        ...


class BoundModel(RunnableBinding[LanguageModelInput, AIMessage]):
    """A chat model with bound options. This is LangChain's `RunnableBinding`, with `preview`."""

    # The validators are built with the first binding, so that the import stays fast.
    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True, defer_build=True)

    @classmethod
    def lc_id(cls) -> list[str]:
        """Return the ID of LangChain's `RunnableBinding`, which `langchain_core.load.load` accepts."""
        return [*cls.get_lc_namespace(), RunnableBinding.__name__]

    def preview(self, messages: LanguageModelInput, **kwargs: Any) -> tuple[JsonObject, list[Note]]:
        """Return the request that `invoke` would send, with the bound options. No request is sent.

        Args:
            messages: Input as for `invoke`.
            **kwargs: Options as for `invoke`. They override the bound options.

        Returns:
            The body and the notes, as `ChatGeminiCompat.preview` returns them.

        Examples:
            ```python
            body, notes = model.bind_tools([get_weather]).preview("Weather in Oslo?")
            ```
        """
        return _preview(self, messages, kwargs)

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> BoundModel:
        """Return this model with tools bound to it, in addition to the options that are bound already.

        Agents call this method. LangChain's own binding would lose the options.

        Args:
            tools: Tools as for `ChatGeminiCompat.bind_tools`. They replace tools that are bound already.
            **kwargs: Options as for `ChatGeminiCompat.bind_tools`. They override the bound options.

        Returns:
            The model with the options and the tools.

        Examples:
            ```python
            model.bind(temperature=0.3).bind_tools([get_weather])
            ```
        """
        options = {name: value for name, value in self.kwargs.items() if name != "tools"}
        bound = cast("_Model", self.bound).bind_tools(tools, **{**options, **kwargs})
        return self.model_copy(update={"bound": bound.bound, "kwargs": bound.kwargs})

    def with_structured_output(self, schema: dict[str, Any] | type | None = None, **kwargs: Any) -> StructuredModel:
        """Return a runnable whose answers are objects of `schema`, with the bound options.

        Bound tools are left out: pass them as `tools`.

        Args:
            schema: Schema as for `ChatGeminiCompat.with_structured_output`.
            **kwargs: Options as for `ChatGeminiCompat.with_structured_output`. They override the bound options.

        Returns:
            The runnable.

        Examples:
            ```python
            model.bind(temperature=0.3).with_structured_output(City)
            ```
        """
        options = {name: value for name, value in self.kwargs.items() if name not in _OF_TOOLS}
        return cast("_Model", self.bound).with_structured_output(schema, **{**options, **kwargs})


class StructuredModel(RunnableSequence[LanguageModelInput, Any]):
    """A chat model whose answers are objects. This is LangChain's `RunnableSequence`, with `preview`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True, defer_build=True)

    @classmethod
    def lc_id(cls) -> list[str]:
        """Return the ID of LangChain's `RunnableSequence`, which `langchain_core.load.load` accepts."""
        return [*cls.get_lc_namespace(), RunnableSequence.__name__]

    def get_name(self, suffix: str | None = None, *, name: str | None = None) -> str:
        """Return the name of the runnable, which is `RunnableSequence` by default, as in LangChain's own chains."""
        return super().get_name(suffix, name=name or self.name or RunnableSequence.__name__)

    def bind(self, **kwargs: Any) -> Runnable[LanguageModelInput, Any]:
        """Return a runnable with options of a request bound to it, as LangChain does, with `preview`."""
        return BoundModel(bound=self, kwargs=kwargs)

    def with_retry(self, **kwargs: Any) -> Runnable[LanguageModelInput, Any]:
        """Return a runnable that retries, as LangChain does, with `preview`."""
        return BoundModel(bound=super().with_retry(**kwargs))

    def preview(self, messages: LanguageModelInput, **kwargs: Any) -> tuple[JsonObject, list[Note]]:
        """Return the request that `invoke` would send, with the schema. No request is sent.

        Args:
            messages: Input as for `invoke`.
            **kwargs: Options as for `invoke`.

        Returns:
            The body and the notes, as `ChatGeminiCompat.preview` returns them.

        Examples:
            ```python
            body, notes = model.with_structured_output(City).preview("The largest city of Norway?")
            ```
        """
        return _preview(self.first, messages, kwargs)


def adopt_binding(binding: Runnable[LanguageModelInput, AIMessage]) -> BoundModel:
    """Return LangChain's binding of a model with the method `preview`."""
    return BoundModel(**{name: getattr(binding, name) for name in RunnableBinding.model_fields})


def find_model(runnable: object) -> tuple[object, Mapping[str, Any]]:
    """Return the model inside `runnable` that a call would use, and the bound options of the call.

    A binding may set parameters of a configurable model by its config. Of two bindings, the outer one counts.
    """
    options: Mapping[str, Any] = {}
    config: RunnableConfig | None = None
    while True:
        if isinstance(runnable, RunnableBindingBase):
            options, config = {**runnable.kwargs, **options}, merge_configs(runnable.config, config)
            runnable = runnable.bound
        elif isinstance(runnable, DynamicRunnable):
            runnable, config = runnable.prepare(config)
        elif isinstance(runnable, StructuredModel):
            runnable = runnable.first
        else:
            return runnable, options


def _preview(
    runnable: Runnable[Any, Any], messages: LanguageModelInput, options: Mapping[str, Any]
) -> tuple[JsonObject, list[Note]]:
    """Return the request of the model inside `runnable`, with the options and the config of all bindings around it."""
    model, bound = find_model(runnable)
    return cast("_Previewing", model).preview(messages, **{**bound, **options})

"""Runnables that `bind`, `bind_tools` and `with_structured_output` return: LangChain's runnables plus `preview`.

On LangChain's own `RunnableBinding`, `preview` would be a call of the model's method without the bound options. The
classes here are serialized and traced under the names of LangChain's classes. After `langchain_core.load.load`, a
binding is an instance of LangChain's class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, cast

from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableBinding, RunnableConfig, RunnableSequence, RunnableSerializable
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.config import merge_configs
from langchain_core.runnables.utils import ConfigurableField
from pydantic import ConfigDict

from langchain_gemini_compat._wire.json_types import JsonObject
from langchain_gemini_compat._wire.notes import Note

#: Options that `bind_tools` sets. If a bound model has them, its `with_structured_output` leaves them out.
_OF_TOOLS = frozenset({"tools", "tool_choice", "parallel_tool_calls", "response_format"})
_Runnable = TypeVar("_Runnable", bound="RunnableSerializable[Any, Any]")


class _Previewing(Protocol):
    """A runnable with the method `preview`."""

    def preview(self, messages: LanguageModelInput, **kwargs: Any) -> tuple[JsonObject, list[Note]]:
        """Return the body of the request, and notes about changes of the request."""
        ...


class _Model(Protocol):
    """A chat model, with or without bound options."""

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """Return the model with tools bound to it."""
        ...

    def with_structured_output(self, schema: dict[str, Any] | type | None = None, **kwargs: Any) -> StructuredModel:
        """Return a runnable whose answers are objects of `schema`."""
        ...


class PreviewedRunnable:
    """Overrides the methods with which LangChain builds a runnable around a model, so that the result has `preview`."""

    if not TYPE_CHECKING:
        # The methods of this class are hidden from type checkers, because the parameters of LangChain's methods differ
        # between versions of langchain-core.
        def bind(self, **kwargs: Any) -> PreviewedRunnable:
            """Return a runnable with options of a request bound to it, as LangChain does."""
            return adopt_runnable(super().bind(**kwargs))

        def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> PreviewedRunnable:
            """Return a runnable with a LangChain config, as LangChain does."""
            return adopt_runnable(super().with_config(config, **kwargs))

        def with_retry(self, **kwargs: Any) -> PreviewedRunnable:
            """Return a runnable that LangChain calls again after an error. See also `max_retries`."""
            return adopt_runnable(super().with_retry(**kwargs))

        def with_fallbacks(self, *args: Any, **kwargs: Any) -> PreviewedRunnable:
            """Return a runnable that calls the given runnables after an error, as LangChain does."""
            return adopt_runnable(super().with_fallbacks(*args, **kwargs))

        def with_listeners(self, **kwargs: Any) -> PreviewedRunnable:
            """Return a runnable that calls functions at the start and the end of each run, as LangChain does."""
            return adopt_runnable(super().with_listeners(**kwargs))

        def with_alisteners(self, **kwargs: Any) -> PreviewedRunnable:
            """Return a runnable that calls async functions at the start and the end of each run, as LangChain does."""
            return adopt_runnable(super().with_alisteners(**kwargs))

        def with_types(self, **kwargs: Any) -> PreviewedRunnable:
            """Return a runnable with other types of input and output in its schemas, as LangChain does."""
            return adopt_runnable(super().with_types(**kwargs))

        def configurable_alternatives(self, which: ConfigurableField, **kwargs: Any) -> PreviewedRunnable:
            """Return a runnable that the config of a call can replace by another runnable, as LangChain does."""
            return adopt_runnable(super().configurable_alternatives(which, **kwargs))


class TracedAsLangChain(PreviewedRunnable):
    """Base class of runnables that are serialized and traced under the name of the LangChain class that they extend."""

    langchain_name: ClassVar[str]

    if not TYPE_CHECKING:

        @classmethod
        def lc_id(cls) -> list[str]:
            """Return the ID of LangChain's class, which `langchain_core.load.load` accepts."""
            return [*cls.get_lc_namespace(), cls.langchain_name]

        def get_name(self, suffix: str | None = None, *, name: str | None = None) -> str:
            """Return the name of the runnable, which is that of LangChain's class by default."""
            return super().get_name(suffix, name=name or self.name or self.langchain_name)


class BoundModel(PreviewedRunnable, RunnableBinding[LanguageModelInput, AIMessage]):
    """A chat model with bound options: LangChain's `RunnableBinding` with the method `preview`."""

    # Pydantic builds the validators when the first binding is created, so that the import stays fast.
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
        return preview_runnable(self, messages, kwargs)

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> BoundModel:
        """Return this model with tools bound to it, in addition to the options that are bound already.

        Agents call this method. LangChain's own method would lose the bound options.

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
        if isinstance(bound, BoundModel):
            return self.model_copy(update={"bound": bound.bound, "kwargs": bound.kwargs})
        # Here `bound` is a model with fallbacks. Each of its models has the options already, so the copy needs no
        # `kwargs`.
        return self.model_copy(update={"bound": bound, "kwargs": {}})

    def with_structured_output(self, schema: dict[str, Any] | type | None = None, **kwargs: Any) -> StructuredModel:
        """Return a runnable whose answers are objects of `schema`, with the bound options.

        Bound tools are left out. Pass tools as the argument `tools`.

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


class StructuredModel(TracedAsLangChain, RunnableSequence[LanguageModelInput, Any]):
    """A chat model whose answers are objects: LangChain's `RunnableSequence` with the method `preview`."""

    langchain_name: ClassVar[str] = RunnableSequence.__name__
    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True, defer_build=True)

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
        return preview_runnable(self.first, messages, kwargs)


def adopt_runnable(runnable: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """Convert LangChain's `runnable` to this package's class, which adds the method `preview`."""
    if isinstance(runnable, PreviewedRunnable):
        return runnable
    if isinstance(runnable, RunnableBinding):
        return _copy_fields(runnable, BoundModel)
    if isinstance(runnable, RunnableBindingBase):
        # This is LangChain's `RunnableRetry`. The package has no subclass of that class, so wrap the runnable in a
        # `BoundModel`.
        return BoundModel(bound=runnable)
    # The imports stand here to keep the import of the package fast.
    from langchain_core.runnables.configurable import DynamicRunnable

    if isinstance(runnable, DynamicRunnable):
        from langchain_gemini_compat._model.configurable_model import choose_class

        return _copy_fields(runnable, choose_class(runnable))
    from langchain_gemini_compat._model.fallback_model import FallbackModel

    return _copy_fields(runnable, FallbackModel)


def _copy_fields(runnable: Runnable[Any, Any], cls: type[_Runnable]) -> _Runnable:
    """Return a runnable of the class `cls` with the fields of `runnable`. `cls` is a subclass of `type(runnable)`."""
    return cls(**{name: getattr(runnable, name) for name in cls.model_fields})


def find_model(runnable: object, *, before_fallbacks: bool = False) -> tuple[object, Mapping[str, Any]]:
    """Return the model inside `runnable` that a call would use, and the bound options of the call.

    The config of a binding may set parameters of a configurable model. If two bindings set the same option or
    parameter, the value of the outer binding is used.

    Args:
        runnable: A model, or a runnable around one.
        before_fallbacks: If `True` and the model has fallbacks, return the first model. If `False`, return the
            runnable with the model and its fallbacks.
    """
    # Imported here to keep the import of the package fast.
    from langchain_core.runnables.configurable import DynamicRunnable
    from langchain_core.runnables.fallbacks import RunnableWithFallbacks

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
        elif before_fallbacks and isinstance(runnable, RunnableWithFallbacks):
            runnable = runnable.runnable
        else:
            return runnable, options


def preview_runnable(
    runnable: Runnable[Any, Any], messages: LanguageModelInput, options: Mapping[str, Any]
) -> tuple[JsonObject, list[Note]]:
    """Return the request of the model inside `runnable`, with the options and the config of all bindings around it."""
    model, bound = find_model(runnable, before_fallbacks=True)
    return cast("_Previewing", model).preview(messages, **{**bound, **options})

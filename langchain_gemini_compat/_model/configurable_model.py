"""LangChain's runnables of `configurable_fields` and `configurable_alternatives`, with the method `preview`."""

from __future__ import annotations

from typing import ClassVar

from langchain_core.runnables.configurable import (
    DynamicRunnable,
    RunnableConfigurableAlternatives,
    RunnableConfigurableFields,
)
from langchain_core.runnables.utils import Input, Output
from pydantic import ConfigDict

from langchain_gemini_compat._model.bound_model import TracedAsLangChain


class ConfigurableModel(TracedAsLangChain, RunnableConfigurableFields[Input, Output]):
    """A chat model whose parameters are set in the config of a call.

    The class has LangChain's own type variables, because with others pydantic would refuse a chat model in the field
    `default`.
    """

    langchain_name: ClassVar[str] = RunnableConfigurableFields.__name__
    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True)


class ModelChoice(TracedAsLangChain, RunnableConfigurableAlternatives[Input, Output]):
    """A chat model with alternatives. The config of a call chooses the model or one of the alternatives."""

    langchain_name: ClassVar[str] = RunnableConfigurableAlternatives.__name__
    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True)


def choose_class(runnable: DynamicRunnable[Input, Output]) -> type[DynamicRunnable[Input, Output]]:
    """Return the class of this module that extends the class of `runnable`."""
    return ConfigurableModel if isinstance(runnable, RunnableConfigurableFields) else ModelChoice

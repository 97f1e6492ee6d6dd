"""What `configurable_fields` returns: LangChain's runnable, whose bindings have the method `preview`.

It is serialized and traced under the name of its base class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableSerializable
from langchain_core.runnables.configurable import RunnableConfigurableFields
from langchain_core.runnables.utils import Input, Output
from pydantic import ConfigDict

from langchain_gemini_compat._model.bound_model import BoundModel, adopt_binding


class ConfigurableModel(RunnableConfigurableFields[Input, Output]):
    """A chat model whose parameters are set in the config of a call.

    With other types than LangChain's own, pydantic would not take a chat model as the field `default`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True)

    @classmethod
    def lc_id(cls) -> list[str]:
        """Return the ID of LangChain's `RunnableConfigurableFields`, which `langchain_core.load.load` accepts."""
        return [*cls.get_lc_namespace(), RunnableConfigurableFields.__name__]

    def get_name(self, suffix: str | None = None, *, name: str | None = None) -> str:
        """Return the name of the runnable, which is that of LangChain's class by default."""
        return super().get_name(suffix, name=name or self.name or RunnableConfigurableFields.__name__)

    if not TYPE_CHECKING:
        # Hidden from type checkers, because the parameters differ between versions of langchain-core.
        def bind(self, **kwargs: Any) -> BoundModel:
            """Return the model with options of a request bound to it, as LangChain does, with `preview`."""
            return BoundModel(bound=self, kwargs=kwargs)

        def with_listeners(self, **kwargs: Any) -> BoundModel:
            """Return a model that calls functions at the start and the end of each run, with `preview`."""
            return adopt_binding(super().with_listeners(**kwargs))

        def with_types(self, **kwargs: Any) -> BoundModel:
            """Return a model with other types of input and output in its schemas, with `preview`."""
            return adopt_binding(super().with_types(**kwargs))


def adopt_fields(
    runnable: RunnableSerializable[LanguageModelInput, AIMessage],
) -> ConfigurableModel[LanguageModelInput, AIMessage]:
    """Return what LangChain's `configurable_fields` returns, with bindings that have `preview`."""
    return ConfigurableModel(**{name: getattr(runnable, name) for name in RunnableConfigurableFields.model_fields})

"""Reads objects of Google's SDK (`google.genai.types`), which are pydantic models. The SDK is not imported."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence


def dump_typed(value: object, *, camel_case: bool = False) -> object:
    """Convert an object such as `types.ThinkingConfig` to a dict. Return classes and all other values unchanged.

    Args:
        value: The object.
        camel_case: Whether the keys are in camel case, as the keywords of a JSON Schema are.
    """
    dump = getattr(value, "model_dump", None)
    if isinstance(value, type) or not callable(dump):
        return value
    return dump(mode="json", exclude_none=True, by_alias=camel_case)


def dump_settings(value: object) -> object:
    """Convert one or more objects such as `types.SafetySetting` to a list of dicts. Return other values unchanged."""
    if isinstance(value, (list, tuple)):
        return [_dump_setting(item) for item in cast("Sequence[object]", value)]
    dumped = _dump_setting(value)
    return value if dumped is value else [dumped]


def _dump_setting(value: object) -> object:
    """Convert a safety setting to a dict.

    The setting may be an object of google-genai, of `vertexai`, or of the protobuf API of google-cloud-aiplatform.
    """
    to_dict = getattr(value, "to_dict", None)
    if callable(to_dict) and not isinstance(value, type):
        return to_dict()
    category, threshold = getattr(value, "category", None), getattr(value, "threshold", None)
    if isinstance(category, Enum) and isinstance(threshold, Enum) and not hasattr(value, "model_dump"):
        # `value` is a protobuf message of google-cloud-aiplatform.
        return {"category": category.name, "threshold": threshold.name}
    return dump_typed(value)

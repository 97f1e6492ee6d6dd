"""Declares dataclasses as schemas, and builds their instances from answers."""

from __future__ import annotations

from dataclasses import is_dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, cast, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from typing_extensions import get_type_hints

from langchain_gemini_compat._request.typed_dicts import read_docstring
from langchain_gemini_compat._wire.json_types import object_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_gemini_compat._wire.json_types import JsonObject


def find_dataclass(schema: object) -> type | None:
    """Return the dataclass of `schema`, which may be a parametrized generic; `None` for other objects."""
    for candidate in (schema, get_origin(schema)):
        if isinstance(candidate, type) and is_dataclass(candidate) and not issubclass(candidate, BaseModel):
            return candidate
    return None


def declare_dataclass(schema: object) -> JsonObject:
    """Return OpenAI's `name`, `description` and `parameters` for a dataclass.

    Descriptions of fields come from pydantic, from `Annotated[…, "description"]`, or from the docstring.

    Raises:
        ValueError: A field has a type without a JSON schema.
    """
    whole = cast("type", find_dataclass(schema))
    try:
        parameters = cast("JsonObject", build_adapter(schema).json_schema())
        annotated = _annotated_texts(whole)
    except (NameError, PydanticUserError) as err:
        raise _unusable(whole, err) from err
    # If a dataclass has no docstring, Python generates one from the signature. A generated docstring is not used as
    # description.
    docstring = whole.__doc__ or ""
    summary, told = ("", {}) if docstring.startswith(f"{whole.__name__}(") else read_docstring(docstring)
    properties = object_at(parameters, "properties")
    for name, text in {**told, **annotated}.items():
        field = properties.get(name)
        if isinstance(field, dict) and text:
            field.setdefault("description", text)
    described: JsonObject = {"description": summary} if summary else {}
    return {"name": whole.__name__, **described, "parameters": parameters}


@lru_cache(maxsize=64)
def build_adapter(schema: object) -> TypeAdapter[object]:
    """Return the validator of a dataclass. The validator is cached, because it runs for each part of a stream.

    Raises:
        ValueError: A field has a type that pydantic does not know.
    """
    try:
        return TypeAdapter(cast("type[object]", schema))
    except (NameError, PydanticUndefinedAnnotation, PydanticUserError) as err:
        raise _unusable(cast("type", find_dataclass(schema)), err) from err


def _unusable(schema: type, err: Exception) -> ValueError:
    fault = str(err).partition("\n")[0].rstrip(".")
    return ValueError(
        f"The dataclass `{schema.__name__}` cannot be a schema: {fault}. Use types that pydantic can write as JSON. "
        "If classes refer to each other by quoted names, define them at the top level of a module."
    )


def _annotated_texts(schema: type) -> Mapping[str, str]:
    """Return the descriptions of fields such as `city: Annotated[str, "Name of the city"]`, by field name."""
    hints: Mapping[str, object] = get_type_hints(schema, include_extras=True)
    annotated = {name: get_args(hint) for name, hint in hints.items() if get_origin(hint) is Annotated}
    return {name: parts[1] for name, parts in annotated.items() if isinstance(parts[1], str)}

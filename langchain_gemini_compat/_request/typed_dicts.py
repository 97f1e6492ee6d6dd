"""Builds the JSON schema of a `TypedDict` class with pydantic. Null, optional keys and recursion are supported.

Each class is rebuilt for pydantic, for two reasons. Pydantic accepts `typing.TypedDict` only since Python 3.12. In
LangChain's form, descriptions and defaults are plain values in `Annotated`, which pydantic does not read.
"""

from __future__ import annotations

import inspect
import re
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, cast, get_args, get_origin

from pydantic import Field, TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation
from typing_extensions import NotRequired, TypedDict, get_original_bases, get_type_hints, is_typeddict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: The first line of an argument in a Google-style docstring, such as `name (str): Its name.`
_ARGUMENT = re.compile(r"(\s+)(\w+)(?: \([^)]*\))?:(.*)")
_SECTION = re.compile(r"(Args|Attributes|Returns|Example|Examples|Raises|Note|Notes):")
#: Maximum number of JSON values (objects, lists and scalars) in an inlined schema. A larger schema keeps its
#: references.
_MOST_INLINED = 2_000


def find_typed_dict(schema: object) -> type | None:
    """Return the `TypedDict` class of `schema`, which may be a parametrized generic; `None` for other objects."""
    for candidate in (schema, get_origin(schema)):
        if isinstance(candidate, type) and is_typeddict(candidate):
            return candidate
    return None


def declare_typed_dict(schema: object) -> JsonObject:
    """Return OpenAI's `name`, `description` and `parameters` for a `TypedDict` class.

    Raises:
        ValueError: An annotation refers to a class that cannot be found, or a description is not a string.
    """
    whole = cast("type", find_typed_dict(schema))
    try:
        adapter: TypeAdapter[object] = TypeAdapter(cast("type", _Rebuilder().rebuild(schema, {})))
    except (NameError, PydanticUndefinedAnnotation) as err:
        raise ValueError(
            f"The annotations of the `TypedDict` {whole.__name__!r} cannot be resolved: {err}. If classes refer "
            "to each other by quoted names, define them at the top level of a module."
        ) from err
    summary, _ = read_docstring(whole.__dict__.get("__doc__"))
    described: JsonObject = {"description": summary} if summary else {}
    parameters = cast("JsonObject", adapter.json_schema())
    return {"name": whole.__name__, **described, "parameters": _Inliner(parameters).inline()}


def read_docstring(docstring: str | None) -> tuple[str, dict[str, str]]:
    """Return the text before the sections of a Google-style docstring, and a description for each argument."""
    summary: list[str] = []
    told: dict[str, str] = {}
    section, name, indent = "", "", ""
    for line in inspect.cleandoc(docstring or "").split("\n"):
        heading, argument = _SECTION.fullmatch(line), _ARGUMENT.fullmatch(line)
        if heading:
            section, name, indent = heading[1], "", ""
        elif not section:
            summary.append(line)
        elif section in ("Args", "Attributes"):
            if argument and argument[1] <= (indent or argument[1]):
                indent, name = argument[1], argument[2]
                told[name] = argument[3].strip()
            elif line[:1].strip():
                section = "Text"
            elif name and line.strip():
                told[name] = f"{told[name]} {line.strip()}".strip()
    return "\n".join(summary).strip(), told


class _Rebuilder:
    """Rebuilds `TypedDict` classes for pydantic. Each class is rebuilt only once, so a class may contain itself."""

    def __init__(self) -> None:
        self._made: dict[tuple[type, str], type] = {}

    def rebuild(self, annotation: object, types: Mapping[object, object]) -> object:
        """Return an annotation with its `TypedDict` classes rebuilt. `types` maps type variables to their types."""
        if isinstance(annotation, TypeVar):
            return types.get(annotation, annotation)
        found, arguments = find_typed_dict(annotation), get_args(annotation)
        if found is not None:
            return self._rebuild_class(found, [self.rebuild(part, types) for part in arguments])
        name = _special_name(annotation)
        if not arguments or name == "Literal":
            return annotation
        if name == "ReadOnly":
            # `ReadOnly[X]` becomes `X`. `ReadOnly` does not change which values are valid, and pydantic warns about it.
            return self.rebuild(arguments[0], types)
        return self._rebuild_form(annotation, arguments, types)

    def _rebuild_form(self, form: object, arguments: tuple[Any, ...], types: Mapping[object, object]) -> object:
        """Return a union, list, callable or similar annotation with all `TypedDict` classes in it rebuilt."""
        origin = get_origin(form)
        if origin is Annotated:
            return _annotate(self.rebuild(arguments[0], types), arguments[1:])
        rebuilt = tuple(
            [self.rebuild(inner, types) for inner in part] if isinstance(part, list) else self.rebuild(part, types)
            for part in arguments
        )
        if rebuilt == arguments:
            return form
        if origin in (Union, UnionType):
            return cast("Any", Union)[rebuilt]
        copy_with = getattr(form, "copy_with", None)
        return cast("object", copy_with(rebuilt) if copy_with else cast("Any", origin)[rebuilt])

    def _rebuild_class(self, given: type, arguments: Sequence[object]) -> type:
        key = (given, repr(arguments))
        if key in self._made:
            return self._made[key]
        made = self._made[key] = cast("type", cast("Any", TypedDict)(given.__name__, {}))
        hints = get_type_hints(given, localns={given.__name__: given}, include_extras=True)
        summary, told = read_docstring(given.__dict__.get("__doc__"))
        types = {**_inherited_types(given), **_types_of(given, arguments)}
        required: frozenset[str] = getattr(given, "__required_keys__", frozenset())
        annotations = {
            name: _describe(name, self.rebuild(hint, types), told.get(name, ""), required=name in required)
            for name, hint in hints.items()
        }
        extra: dict[str, Any] = {"json_schema_extra": {"description": summary}} if summary else {}
        fields: dict[str, Any] = {
            "__annotations__": annotations,
            "__required_keys__": frozenset(
                name for name, hint in annotations.items() if _special_name(hint) != "NotRequired"
            ),
            "__module__": given.__module__,
            "__qualname__": given.__qualname__,
            "__doc__": None,
            "__pydantic_config__": {**extra, **getattr(given, "__pydantic_config__", {})},
        }
        for name, value in fields.items():
            setattr(made, name, value)
        return made


def _special_name(annotation: object) -> str:
    """Return the name of an annotation's special form: `Required` for `Required[int]`. Return `""` if it has none."""
    return str(getattr(get_origin(annotation), "_name", ""))


def _annotate(hint: object, metadata: Sequence[object]) -> object:
    parts = (hint, *metadata)
    return cast("Any", Annotated)[parts]


def _types_of(generic: type, arguments: Sequence[object]) -> dict[object, object]:
    return dict(zip(getattr(generic, "__parameters__", ()), arguments, strict=False))


def _inherited_types(given: type) -> dict[object, object]:
    """Return a map from type variables of base classes to types. For a base `Box[int]`, it maps `T` to `int`."""
    found: dict[object, object] = {}
    for base in get_original_bases(given):
        generic = find_typed_dict(base)
        if generic is not None:
            found |= {**_inherited_types(generic), **_types_of(generic, get_args(base))}
    return found


def _describe(name: str, hint: object, told: str, *, required: bool) -> object:
    """Return the annotation of a key in pydantic's form, with its description and default."""
    metadata: list[object] = []
    while (form := _special_name(hint)) in ("Required", "NotRequired") or get_origin(hint) is Annotated:
        hint, *added = get_args(hint)
        metadata = [*added, *metadata]
        required = form == "Required" if form in ("Required", "NotRequired") else required
    default, description, metadata = _read_plain_values(name, metadata)
    if default:
        required = False
        metadata.append(Field(json_schema_extra={"default": cast("JsonValue", default[0])}))
    if told or description:
        metadata.append(Field(description=told or description))
    if metadata:
        hint = _annotate(hint, metadata)
    return hint if required else cast("Any", NotRequired)[hint]


def _read_plain_values(name: str, metadata: list[object]) -> tuple[list[object], str, list[object]]:
    """Return the default, the description and the remaining metadata of an `Annotated` type.

    The default is in a list, which is empty if there is no default. `metadata` has one of three forms:

    - LangChain's form: a default and a description
    - only a description
    - metadata for pydantic
    """
    first, second = [*metadata, None, None][:2]
    if isinstance(first, str) and len(metadata) == 1:
        return [], first, []
    if first is ... or isinstance(second, str):
        if second is not None and not isinstance(second, str):
            raise ValueError(
                f"The third argument of `Annotated` for {name!r} is the description. Pass a string "
                f"instead of a value of type `{type(second).__name__}`."
            )
        return [] if first is ... else [first], second or "", metadata[2:]
    texts = [str(getattr(item, "documentation", "")) for item in metadata]
    return [], " ".join(text for text in texts if text), metadata


class _Inliner:
    """Inlines the definitions of a schema, except recursive ones."""

    def __init__(self, schema: JsonObject) -> None:
        self._schema = schema
        found = schema.get("$defs")
        self._definitions: JsonObject = found if isinstance(found, dict) else {}
        self._count = 0

    def inline(self) -> JsonObject:
        """Return the inlined schema, or the original schema if the result would be too large."""
        body: JsonObject = {key: value for key, value in self._schema.items() if key != "$defs"}
        recursive = {name for name in self._definitions if self._reaches(name, name, set())}
        whole = self._walk(body, recursive)
        if self._count > _MOST_INLINED or not isinstance(whole, dict):
            return self._schema
        kept: JsonObject = {name: self._walk(self._definitions[name], recursive) for name in sorted(recursive)}
        return {"$defs": kept, **whole} if kept else whole

    def _reaches(self, name: str, target: str, seen: set[str]) -> bool:
        found = set(_names_in(self._definitions.get(name)))
        fresh = found - seen
        seen |= found
        return target in found or any(self._reaches(inner, target, seen) for inner in fresh)

    def _walk(self, value: JsonValue, recursive: set[str]) -> JsonValue:
        self._count += 1
        if self._count > _MOST_INLINED:
            return value
        if isinstance(value, list):
            return [self._walk(item, recursive) for item in value]
        if not isinstance(value, dict):
            return value
        siblings: JsonObject = {key: self._walk(inner, recursive) for key, inner in value.items() if key != "$ref"}
        name = _definition_of(value)
        if name is None or name in recursive or name not in self._definitions:
            return {"$ref": value["$ref"], **siblings} if "$ref" in value else siblings
        opened = self._walk(self._definitions[name], recursive)
        return {**opened, **siblings} if isinstance(opened, dict) else siblings


def _definition_of(value: JsonObject) -> str | None:
    reference = value.get("$ref")
    return reference.removeprefix("#/$defs/") if isinstance(reference, str) else None


def _names_in(value: JsonValue) -> list[str]:
    """Return the names of the definitions that a schema refers to."""
    if isinstance(value, list):
        return [name for item in value for name in _names_in(item)]
    if not isinstance(value, dict):
        return []
    own = _definition_of(value)
    return [*([own] if own else []), *(name for inner in value.values() for name in _names_in(inner))]

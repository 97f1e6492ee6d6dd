"""Builds unions from compiled branches, and adds `description` and `nullable` to compiled schemas.

Gemini refuses all keywords beside `anyOf`, except `description` and `nullable`
(https://github.com/langchain-ai/langchain-google/issues/1216).
"""

from __future__ import annotations

from itertools import combinations
from math import prod
from typing import TYPE_CHECKING

from langchain_gemini_compat._schema.node import MAX_FORM, Loss, as_text, value_key
from langchain_gemini_compat._wire.json_types import list_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from langchain_gemini_compat._schema.node import Node, SchemaUnion
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Maximum number of combinations of branches, if several unions apply to the same value.
_MAX_COMBINATIONS = 24
#: Maximum number of branches that are compared with each other.
_MAX_COMPARED = 200
#: If a branch has only these keywords, it requires properties but does not describe them.
_REQUIRED_ONLY = frozenset({"required", "not", "type", "title", "description"})
_LEADING = ("type", "description", "nullable")


def build_union(branches: Iterable[JsonObject]) -> tuple[JsonObject, bool]:
    """Combine `branches` to one schema. Return the schema, and whether a branch allows null.

    The schema is an `anyOf` of the branches without duplicates, or the only branch that remains.
    """
    flat: list[JsonObject] = []
    nullable = False
    for branch in branches:
        nullable = nullable or branch.get("nullable") is True
        bare: JsonObject = {key: value for key, value in branch.items() if key != "nullable"}
        inner = bare.get("anyOf")
        if isinstance(inner, list) and len(bare) == 1:
            flat.extend(part for part in inner if isinstance(part, dict))
        else:
            flat.append(bare)
    merged = _merge_enums(flat)
    distinct = list({value_key(branch): branch for branch in reversed(merged)}.values())[::-1]
    if len(distinct) == 1:
        return distinct[0], nullable
    union: list[JsonValue] = [*distinct]
    return {"anyOf": union}, nullable


def _merge_enums(branches: list[JsonObject]) -> list[JsonObject]:
    """Merge the branches that have only an enum into one branch, at the position of the first of them."""
    bare = [set(branch) == {"type", "enum"} for branch in branches]
    lists = [strings_in(branch, "enum") for branch, is_bare in zip(branches, bare, strict=True) if is_bare]
    texts: list[JsonValue] = [*dict.fromkeys(text for names in lists for text in names)]
    one: JsonObject = {"type": "string", "enum": texts}
    return [
        one if is_bare else branch
        for index, (branch, is_bare) in enumerate(zip(branches, bare, strict=True))
        if not is_bare or index == bare.index(True)
    ]


def choose_unions(node: Node) -> list[SchemaUnion]:
    """Return the unions that are compiled to `anyOf`. Add each other union to the list of lost schema parts."""
    unions: list[SchemaUnion] = []
    for union in node.unions:
        if _only_requires(node, union):
            _merge_required(node, union)
        else:
            unions.append(union)
    if prod(len(union.branches) for union in unions) > _MAX_COMBINATIONS:
        for union in unions[1:]:
            path = f"{union.source.path}/{union.keyword}"
            node.record_loss(
                path,
                union.keyword,
                f"This `{union.keyword}` is not checked. Together with another `anyOf` or `oneOf` for the same value, "
                "it has too many combinations.",
            )
        del unions[1:]
    return unions


def _only_requires(node: Node, union: SchemaUnion) -> bool:
    schemas = [branch.schema for branch in union.branches]
    return bool(node.properties) and all(
        isinstance(schema, dict) and set(schema) <= _REQUIRED_ONLY and schema.get("type", "object") == "object"
        for schema in schemas
    )


def _merge_required(node: Node, union: SchemaUnion) -> None:
    lists = [strings_in(branch.schema, "required") for branch in union.branches]
    path = f"{union.source.path}/{union.keyword}"
    for name in lists[0]:
        if all(name in names for names in lists):
            node.require(name, path)
    words = " or ".join(" and ".join(names) for names in lists) if all(lists) else ""
    reason = f"The combinations of properties that `{union.keyword}` requires are not checked."
    node.record_loss(path, union.keyword, reason, f"Give {words}." if words else "")


def strings_in(schema: JsonValue, keyword: str) -> list[str]:
    """Return the strings in a list such as `required`."""
    names = schema.get(keyword) if isinstance(schema, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def is_disjoint_union(union: SchemaUnion, branches: Sequence[JsonObject], untyped: Mapping[int, JsonObject]) -> bool:
    """Whether the types and enums of the branches guarantee that no value satisfies two branches.

    `untyped` has the compiled schemas that accept values of any type, because the original schema has no `type`. Its
    keys are the `id()` of each schema.
    """
    schema = union.source.schema
    if isinstance(schema, dict) and "discriminator" in schema:
        return True
    if union.with_null and any("nullable" in branch for branch in branches):
        return False
    return len(branches) <= _MAX_COMPARED and all(_disjoint(a, b, untyped) for a, b in combinations(branches, 2))


def _disjoint(first: JsonObject, second: JsonObject, untyped: Mapping[int, JsonObject]) -> bool:
    kinds = {str(first.get("type")), str(second.get("type"))}
    if "None" in kinds or kinds == {"integer", "number"} or ("nullable" in first and "nullable" in second):
        return False
    if len(kinds) > 1:
        return id(first) not in untyped and id(second) not in untyped
    if "enum" in first and "enum" in second:
        return not set(strings_in(first, "enum")) & set(strings_in(second, "enum"))
    ours, theirs = properties_of(first), properties_of(second)
    common = set(strings_in(first, "required")) & set(strings_in(second, "required"))
    return any(_disjoint(ours[name], theirs[name], untyped) for name in sorted(common))


def properties_of(schema: JsonObject) -> dict[str, JsonObject]:
    """Return the compiled `properties`."""
    properties = schema.get("properties")
    found = properties.items() if isinstance(properties, dict) else ()
    return {name: value for name, value in found if isinstance(value, dict)}


def add_description(node: Node, body: JsonObject) -> JsonObject:
    """Add the description and `nullable` of `node` to the compiled schema `body`. The keys get a fixed order."""
    inner = body.get("description")
    texts = [*node.descriptions, *([inner] if isinstance(inner, str) else [])]
    text = ""
    for part in [*texts, *node.sentences]:
        if part not in text and not (part.startswith("Default: ") and "default" in text.lower()):
            text = _append(text, part)
    return order_keywords(body, text, nullable=node.null is True)


def order_keywords(body: JsonObject, description: str, *, nullable: bool) -> JsonObject:
    """Return the schema `body` with `description` and `nullable`, and with its keys in a fixed order.

    Because of the fixed order, equal schemas are sent as equal bytes.
    """
    whole: JsonObject = {**body, "description": description, "nullable": nullable}
    kept: JsonObject = {key: whole[key] for key in _LEADING if whole.get(key)}
    return {**kept, **{key: value for key, value in body.items() if key not in _LEADING}}


def _append(text: str, more: str) -> str:
    if not text:
        return more
    return f"{text} {more}" if text[-1] in ".!?:" else f"{text}. {more}"


def merge_object_union(compiled: JsonObject, unions: Iterable[SchemaUnion], losses: list[Loss]) -> JsonObject:
    """Merge a union of objects into one object, which requires only the properties that all objects require."""
    branches = _flatten(compiled)
    if "anyOf" not in compiled:
        return compiled
    for union in unions:
        reason = f"The schema that is sent is one object with the properties of all alternatives of `{union.keyword}`."
        losses.append(Loss(f"{union.source.path}/{union.keyword}", union.keyword, reason))
    found: dict[str, list[JsonObject]] = {}
    for branch in branches:
        for name, schema in properties_of(branch).items():
            found.setdefault(name, []).append(schema)
    properties: JsonObject = {}
    for name, schemas in found.items():
        body, nullable = build_union(schemas)
        description = body.get("description")
        text = description if isinstance(description, str) else ""
        properties[name] = order_keywords(body, text, nullable=nullable)
    lists = [strings_in(branch, "required") for branch in branches]
    required: list[JsonValue] = [name for name in lists[0] if all(name in names for names in lists)]
    folded: JsonObject = {"type": "object"}
    if "description" in compiled:
        folded["description"] = compiled["description"]
    folded["properties"] = properties
    return {**folded, "required": required} if required else folded


def _flatten(compiled: JsonObject) -> list[JsonObject]:
    inner = compiled.get("anyOf")
    if not isinstance(inner, list):
        return [compiled]
    return [branch for part in inner if isinstance(part, dict) for branch in _flatten(part)]


def describe_map_values(node: Node, start: str, compiled: JsonObject) -> str:
    """Describe the values of a map to the model, and return a sentence that says how much was described.

    A map is an object whose property names are not fixed.
    The description contains the whole schema of the values. A long schema is shortened: first its descriptions are left
    out, then everything except the names and types of the properties.
    """
    bare = _drop_descriptions(compiled)
    for form, told in (
        (compiled, "The description says which values they may have."),
        (bare, "The description says which values they may have, but not what the parts of a value mean."),
        (
            _outline(bare),
            "The form of their values is too long, so the description has only names and types of their properties.",
        ),
    ):
        if node.add_sentence(f"{start} {describe_value(form)}.", MAX_FORM):
            return told
    node.add_sentence(f"{start} {compiled.get('type', 'values of several types')}.")
    return "The form of their values is too long for the description."


def _drop_descriptions(compiled: JsonObject) -> JsonObject:
    """Return the schema without descriptions. Properties that are named `description` stay."""
    bare: JsonObject = {key: value for key, value in compiled.items() if key != "description"}
    for key in ("items", "additionalProperties"):
        inner = bare.get(key)
        if isinstance(inner, dict):
            bare[key] = _drop_descriptions(inner)
    if isinstance(bare.get("anyOf"), list):
        bare["anyOf"] = [_drop_descriptions(part) for part in list_at(bare, "anyOf") if isinstance(part, dict)]
    if "properties" in bare:
        bare["properties"] = {name: _drop_descriptions(schema) for name, schema in properties_of(bare).items()}
    return bare


def _outline(bare: JsonObject) -> JsonObject:
    """Return the schema with only the types of its properties."""
    schemas: JsonObject = {name: {"type": part.get("type", "any")} for name, part in properties_of(bare).items()}
    kept: JsonObject = {key: bare[key] for key in ("type", "required") if key in bare}
    return {**kept, "properties": schemas} if schemas else kept


def describe_value(compiled: JsonObject) -> str:
    """Return a compiled schema as text: the name of the type if `type` is the only keyword, otherwise JSON."""
    return str(compiled["type"]) if set(compiled) == {"type"} else as_text(compiled)

"""Compiled branches to one union, and a compiled place to its final form with its description.

Its one rule: nothing but `description` and `nullable` may stand beside `anyOf`, as Gemini refuses the rest
(https://github.com/langchain-ai/langchain-google/issues/1216).
"""

from __future__ import annotations

from itertools import combinations
from math import prod
from typing import TYPE_CHECKING

from langchain_gemini_compat._schema.node import LONGEST_FORM, Loss, as_text, value_key
from langchain_gemini_compat._wire.json_types import list_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from langchain_gemini_compat._schema.node import Group, Node
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Combinations of several unions at one place.
_MOST_COMBINATIONS = 24
#: Branches compared with each other.
_MOST_COMPARED = 200
#: A branch with no other keyword demands members but describes none.
_DEMANDS = frozenset({"required", "not", "type", "title", "description"})
_LEADING = ("type", "description", "nullable")


def build_union(branches: Iterable[JsonObject]) -> tuple[JsonObject, bool]:
    """The branches as `anyOf`, or the only one that is left of them; and whether one of them allows null."""
    flat: list[JsonObject] = []
    hoisted = False
    for branch in branches:
        hoisted = hoisted or branch.get("nullable") is True
        bare: JsonObject = {key: value for key, value in branch.items() if key != "nullable"}
        inner = bare.get("anyOf")
        if isinstance(inner, list) and len(bare) == 1:
            flat.extend(part for part in inner if isinstance(part, dict))
        else:
            flat.append(bare)
    merged = _merge_enums(flat)
    distinct = list({value_key(branch): branch for branch in reversed(merged)}.values())[::-1]
    if len(distinct) == 1:
        return distinct[0], hoisted
    union: list[JsonValue] = [*distinct]
    return {"anyOf": union}, hoisted


def _merge_enums(branches: list[JsonObject]) -> list[JsonObject]:
    """Bare lists of texts become one list, at the place of the first."""
    bare = [set(branch) == {"type", "enum"} for branch in branches]
    lists = [names_in(branch, "enum") for branch, is_bare in zip(branches, bare, strict=True) if is_bare]
    texts: list[JsonValue] = [*dict.fromkeys(text for names in lists for text in names)]
    one: JsonObject = {"type": "string", "enum": texts}
    return [
        one if is_bare else branch
        for index, (branch, is_bare) in enumerate(zip(branches, bare, strict=True))
        if not is_bare or index == bare.index(True)
    ]


def choose_groups(node: Node) -> list[Group]:
    """The unions that are spread; the others are recorded as lost."""
    groups: list[Group] = []
    for group in node.groups:
        if _only_demands(node, group):
            _drop_demands(node, group)
        else:
            groups.append(group)
    if prod(len(group.branches) for group in groups) > _MOST_COMBINATIONS:
        for group in groups[1:]:
            path = f"{group.source.path}/{group.keyword}"
            node.lose(path, group.keyword, "There are too many combinations with the union beside it.")
        del groups[1:]
    return groups


def _only_demands(node: Node, group: Group) -> bool:
    schemas = [branch.schema for branch in group.branches]
    return bool(node.properties) and all(
        isinstance(schema, dict) and set(schema) <= _DEMANDS and schema.get("type", "object") == "object"
        for schema in schemas
    )


def _drop_demands(node: Node, group: Group) -> None:
    lists = [names_in(branch.schema, "required") for branch in group.branches]
    path = f"{group.source.path}/{group.keyword}"
    for name in lists[0]:
        if all(name in names for names in lists):
            node.demand(name, path)
    words = " or ".join(" and ".join(names) for names in lists) if all(lists) else ""
    reason = "It is not checked which members are given together."
    node.lose(path, group.keyword, reason, f"Give {words}." if words else "")


def names_in(schema: JsonValue, keyword: str) -> list[str]:
    """The texts of a list such as `required`."""
    names = schema.get(keyword) if isinstance(schema, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def is_told_apart(group: Group, branches: Sequence[JsonObject], guessed: Mapping[int, JsonObject]) -> bool:
    """Whether no value can satisfy two branches, as far as types and listed values tell.

    `guessed` holds the places, by `id`, whose original names no type: a value of another type satisfies them too.
    """
    schema = group.source.schema
    if isinstance(schema, dict) and "discriminator" in schema:
        return True
    if group.with_null and any("nullable" in branch for branch in branches):
        return False
    return len(branches) <= _MOST_COMPARED and all(_disjoint(a, b, guessed) for a, b in combinations(branches, 2))


def _disjoint(first: JsonObject, second: JsonObject, guessed: Mapping[int, JsonObject]) -> bool:
    kinds = {str(first.get("type")), str(second.get("type"))}
    if "None" in kinds or kinds == {"integer", "number"} or ("nullable" in first and "nullable" in second):
        return False
    if len(kinds) > 1:
        return id(first) not in guessed and id(second) not in guessed
    if "enum" in first and "enum" in second:
        return not set(names_in(first, "enum")) & set(names_in(second, "enum"))
    ours, theirs = members_of(first), members_of(second)
    common = set(names_in(first, "required")) & set(names_in(second, "required"))
    return any(_disjoint(ours[name], theirs[name], guessed) for name in sorted(common))


def members_of(schema: JsonObject) -> dict[str, JsonObject]:
    """The compiled `properties`."""
    properties = schema.get("properties")
    found = properties.items() if isinstance(properties, dict) else ()
    return {name: value for name, value in found if isinstance(value, dict)}


def finish(node: Node, body: JsonObject) -> JsonObject:
    """The compiled place: description and `nullable` added, keys in a fixed order."""
    inner = body.get("description")
    texts = [*node.descriptions, *([inner] if isinstance(inner, str) else [])]
    text = ""
    for part in [*texts, *node.sentences]:
        if part not in text and not (part.startswith("Default: ") and "default" in text.lower()):
            text = _append(text, part)
    return arrange(body, text, nullable=node.null is True)


def arrange(body: JsonObject, description: str, *, nullable: bool) -> JsonObject:
    """The keys of a place in their fixed order, so that equal schemas are equal bytes."""
    whole: JsonObject = {**body, "description": description, "nullable": nullable}
    kept: JsonObject = {key: whole[key] for key in _LEADING if whole.get(key)}
    return {**kept, **{key: value for key, value in body.items() if key not in _LEADING}}


def _append(text: str, more: str) -> str:
    if not text:
        return more
    return f"{text} {more}" if text[-1] in ".!?:" else f"{text}. {more}"


def fold_alternatives(compiled: JsonObject, groups: Iterable[Group], losses: list[Loss]) -> JsonObject:
    """One object for a union of objects: members of all of them, and only those required that all require."""
    branches = _open(compiled)
    if "anyOf" not in compiled:
        return compiled
    reason = "Members of all alternatives are offered together."
    losses.extend(Loss(f"{group.source.path}/{group.keyword}", group.keyword, reason) for group in groups)
    found: dict[str, list[JsonObject]] = {}
    for branch in branches:
        for name, member in members_of(branch).items():
            found.setdefault(name, []).append(member)
    properties: JsonObject = {}
    for name, members in found.items():
        body, hoisted = build_union(members)
        description = body.get("description")
        text = description if isinstance(description, str) else ""
        properties[name] = arrange(body, text, nullable=hoisted)
    lists = [names_in(branch, "required") for branch in branches]
    required: list[JsonValue] = [name for name in lists[0] if all(name in names for names in lists)]
    folded: JsonObject = {"type": "object"}
    if "description" in compiled:
        folded["description"] = compiled["description"]
    folded["properties"] = properties
    return {**folded, "required": required} if required else folded


def _open(compiled: JsonObject) -> list[JsonObject]:
    inner = compiled.get("anyOf")
    if not isinstance(inner, list):
        return [compiled]
    return [branch for part in inner if isinstance(part, dict) for branch in _open(part)]


def describe_form(node: Node, start: str, compiled: JsonObject) -> str:
    """Describe the form of a map's values to the model, and return how much of it was described.

    The full form if it is short enough, else the form without descriptions, else the names and types of its members.
    """
    bare = _drop_descriptions(compiled)
    for form, told in (
        (compiled, "the description tells the model their form."),
        (bare, "the description tells the model their form, without its descriptions."),
        (_outline(bare), "the description tells the model only an outline of their form."),
    ):
        if node.say(f"{start} {describe_value(form)}.", LONGEST_FORM):
            return told
    node.say(f"{start} {compiled.get('type', 'values of several types')}.")
    return "their form is too long for a description."


def _drop_descriptions(compiled: JsonObject) -> JsonObject:
    """Return the schema without titles and descriptions. Members keep their names."""
    bare: JsonObject = {key: value for key, value in compiled.items() if key != "description"}
    for key in ("items", "additionalProperties"):
        inner = bare.get(key)
        if isinstance(inner, dict):
            bare[key] = _drop_descriptions(inner)
    if isinstance(bare.get("anyOf"), list):
        bare["anyOf"] = [_drop_descriptions(part) for part in list_at(bare, "anyOf") if isinstance(part, dict)]
    if "properties" in bare:
        bare["properties"] = {name: _drop_descriptions(member) for name, member in members_of(bare).items()}
    return bare


def _outline(bare: JsonObject) -> JsonObject:
    """Return the schema with only the types of its members."""
    members: JsonObject = {name: {"type": part.get("type", "any")} for name, part in members_of(bare).items()}
    kept: JsonObject = {key: bare[key] for key in ("type", "required") if key in bare}
    return {**kept, "properties": members} if members else kept


def describe_value(compiled: JsonObject) -> str:
    """A compiled schema in as few words as possible."""
    return str(compiled["type"]) if set(compiled) == {"type"} else as_text(compiled)

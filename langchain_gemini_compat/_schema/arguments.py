"""Repairs the arguments of a tool call: converts values that the model wrote in the wrong type, such as `"3"` for 3.

Invalid arguments are changed only if exactly one repair makes them satisfy the tool's schema. All other arguments are
returned unchanged. This module does not check the keywords `pattern`, `format`, `not` and others. A value that violates
only these keywords counts as valid.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias, cast

from langchain_gemini_compat._schema.node import COMPARISONS, REFERENCES, escape
from langchain_gemini_compat._schema.references import resolve_pointer
from langchain_gemini_compat._wire.json_types import list_at, object_at
from langchain_gemini_compat._wire.strict_json import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
#: Maps Python types to types of JSON Schema. A float such as 3.0 does not count as an integer, because a tool may treat
#: 3.0 and 3 differently.
_TYPES_OF_VALUES: dict[type, tuple[str, ...]] = {
    type(None): ("null",),
    bool: ("boolean",),
    int: ("integer", "number"),
    float: ("number",),
    str: ("string",),
    list: ("array",),
    dict: ("object",),
}
_COUNTS: dict[type, tuple[str, str]] = {
    str: ("minLength", "maxLength"),
    list: ("minItems", "maxItems"),
    dict: ("minProperties", "maxProperties"),
}
#: Keywords that need no function in `_CHECKS`: they do not restrict values (such as `title`), or other code of this
#: module reads them (such as `properties`).
_READ_ELSEWHERE = frozenset(
    {
        "properties", "additionalProperties", "items", "prefixItems", "additionalItems", "nullable", "title",
        "description", "default", "examples", "deprecated", "discriminator", "$defs", "definitions", "$schema", "$id",
        "$comment",
    }
)  # fmt: skip
#: Maximum number of values to check, and maximum depth of a value. They limit the time of a check: a schema may contain
#: itself, and each nested union multiplies the number of checks.
_MAX_VISITS = 100_000
_MAX_DEPTH = 100
#: Above this number, a parsed float may differ from the number that the model wrote.
_LARGEST_EXACT = 2**53
#: Maximum length of a string that is read as a number, boolean or null.
_MAX_SCALAR = 64
#: Maximum number of changes that a note lists, and maximum length of each path in the note.
_MAX_LISTED_CHANGES = 5
_MAX_PATH = 80


def repair_arguments(schema: JsonObject, arguments: JsonObject) -> tuple[JsonObject, list[str]]:
    """Return arguments that satisfy `schema`, and a description of each change.

    If the arguments are valid, or if there is not exactly one repair, they are returned unchanged, with an empty list.
    A description contains a JSON pointer to the changed value. `schema` and `arguments` are not modified.

    >>> repair_arguments({"properties": {"a": {"type": "integer"}, "b": {"type": "string"}}}, {"a": "3", "b": None})
    ({'a': 3}, ['/a (string to integer)', '/b (null left out)'])
    """
    try:
        repaired = _Repairer(schema).repair(arguments, schema, 0)
    except (_NoRepairError, RecursionError):
        return arguments, []
    if repaired is arguments:
        return arguments, []
    return cast("JsonObject", repaired), list(_list_changes(arguments, repaired, ""))


def satisfies(schema: JsonObject, value: JsonValue) -> bool:
    """Whether `value` satisfies the keywords of `schema` that are checked here; true if checking takes too long."""
    try:
        return _Validator(schema).is_valid(value, schema, 0)
    except (_NoRepairError, RecursionError):
        return True


def repair_arguments_text(schema: JsonObject, text: str) -> tuple[str, list[str]]:
    """Repair arguments in JSON text, as `repair_arguments` does. The result is JSON text, too.

    Text that is not a JSON object is returned unchanged.
    """
    for arguments in read_json(text):
        if isinstance(arguments, dict):
            repaired, changes = repair_arguments(schema, arguments)
            if changes:
                return json.dumps(repaired, ensure_ascii=False), changes
    return text, []


def unwrap_arguments(schema: JsonObject | None, text: str) -> JsonObject | None:
    r"""Return the arguments of a call whose `text` is JSON but not an object.

    Some gateways encode the JSON of arguments twice, and some models write `null` for no arguments. Return `None` if
    the result is not an object, or does not satisfy the tool's `schema` even after a repair.

    >>> unwrap_arguments({"required": ["name"]}, r'"{\"name\": \"x\"}"'), unwrap_arguments({}, "null")
    ({'name': 'x'}, {})
    """
    readings = read_json(text)
    if schema is None or not readings:
        return None
    value = readings[0]
    if isinstance(value, str):
        readings = read_json(value) if value.strip() else [None]
        value = readings[0] if readings else value
    if value is None:
        value = {}
    if not isinstance(value, dict):
        return None
    return value if satisfies(schema, repair_arguments(schema, value)[0]) else None


def describe_changes(tool: str, changes: list[str]) -> str:
    """Return a sentence that lists the changes to the arguments of one call."""
    more = len(changes) - _MAX_LISTED_CHANGES
    listed = [*changes[:_MAX_LISTED_CHANGES], f"{more} more"] if more > 0 else changes
    return f"Arguments of {tool!r} were repaired: {', '.join(listed)}."


class _NoRepairError(Exception):
    """Raised if there is not exactly one repair of the value, or if the search for a repair takes too long."""


@dataclass(slots=True)
class _Validator:
    """Checks values against a schema."""

    #: The whole schema. A reference such as `#/$defs/Pet` is looked up in it.
    root: JsonObject
    #: Number of values that were checked.
    visits: int = 0

    def is_valid(self, value: JsonValue, schema: JsonValue, depth: int) -> bool:
        """Whether `value` satisfies the keywords of `schema` that are checked here."""
        self.count_visit(depth)
        if not isinstance(schema, dict):
            return schema is not False
        if value is None and schema.get("nullable") is True:
            return True
        for keyword in schema:
            check = _CHECKS.get(keyword)
            if check is not None and not check(self, value, schema, depth + 1):
                return False
        return all(part is True or self.is_valid(inner, part, depth + 1) for inner, part in _children(value, schema))

    def count_visit(self, depth: int) -> None:
        """Count one more checked value. Raise `_NoRepairError` if a limit of the number or the depth is exceeded."""
        self.visits += 1
        if self.visits > _MAX_VISITS or depth > _MAX_DEPTH:
            raise _NoRepairError

    def combined_schemas(self, schema: JsonObject) -> Iterator[JsonValue]:
        """Yield the schemas that apply together with `schema`: targets of references, and the parts of `allOf`.

        A reference without a target is ignored.
        """
        for keyword in REFERENCES:
            found = resolve_pointer(self.root, schema[keyword]) if keyword in schema else None
            if found is not None:
                yield found[1]
        yield from list_at(schema, "allOf")

    def is_valid_for_all(self, value: JsonValue, schema: JsonObject, depth: int) -> bool:
        return all(self.is_valid(value, part, depth) for part in self.combined_schemas(schema))

    def is_valid_for_any(self, value: JsonValue, schema: JsonObject, depth: int) -> bool:
        branches = list_at(schema, "anyOf")
        return not branches or any(self.is_valid(value, branch, depth) for branch in branches)

    def is_valid_for_one(self, value: JsonValue, schema: JsonObject, depth: int) -> bool:
        """Whether `value` satisfies exactly one branch of `oneOf`.

        It may satisfy several branches if one of them has a keyword that this module does not check, because this
        keyword may exclude the value from its branch.
        """
        branches = list_at(schema, "oneOf")
        holding = [branch for branch in branches if self.is_valid(value, branch, depth)]
        return not branches or len(holding) == 1 or any(map(self._has_unread_keywords, holding))

    def _has_unread_keywords(self, branch: JsonValue) -> bool:
        schemas = [branch, *self.combined_schemas(branch)] if isinstance(branch, dict) else []
        return any(set(schema) - _READ_ELSEWHERE - set(_CHECKS) for schema in schemas if isinstance(schema, dict))

    def accepts_strings(self, schema: JsonValue, depth: int) -> bool:
        """Whether `schema` accepts some strings. For such a schema, a string is not converted to another type."""
        self.count_visit(depth)
        if not isinstance(schema, dict):
            return schema is not False
        types = _types_of(schema)
        if _enum_values(schema) is not None or (types and "string" not in types):
            return False
        unions = [branches for keyword in ("anyOf", "oneOf") if (branches := list_at(schema, keyword))]
        return all(self.accepts_strings(part, depth + 1) for part in self.combined_schemas(schema)) and all(
            any(self.accepts_strings(branch, depth + 1) for branch in branches) for branches in unions
        )


class _Repairer(_Validator):
    """Repairs a value so that it satisfies a schema. If no or several repairs are possible, raises `_NoRepairError`."""

    __slots__ = ()

    def repair(self, value: JsonValue, schema: JsonValue, depth: int) -> JsonValue:
        """Return `value` if it satisfies `schema`, otherwise the repaired value."""
        if self.is_valid(value, schema, depth):
            return value
        if not isinstance(schema, dict):
            raise _NoRepairError
        repaired = self._repair_children(_convert(value, schema), schema, depth + 1)
        for part in self.combined_schemas(schema):
            repaired = self.repair(repaired, part, depth + 1)
        for keyword in ("anyOf", "oneOf"):
            branches = list_at(schema, keyword)
            if branches:
                repaired = self._repair_union(repaired, branches, depth + 1)
        if not self.is_valid(repaired, schema, depth):
            raise _NoRepairError
        return repaired

    def _repair_children(self, value: JsonValue, schema: JsonObject, depth: int) -> JsonValue:
        if isinstance(value, dict):
            return {
                name: kept
                for name, inner in value.items()
                for kept in self._repair_property(name, inner, schema, depth)
            }
        if isinstance(value, list):
            return [self.repair(inner, part, depth) for inner, part in _children(value, schema)]
        return value

    def _repair_property(self, name: str, value: JsonValue, schema: JsonObject, depth: int) -> list[JsonValue]:
        """Return a list with the repaired value, or `[]` to leave out an optional property whose null is invalid."""
        try:
            return [self.repair(value, _property_schema(schema, name), depth)]
        except _NoRepairError:
            is_optional = name in object_at(schema, "properties") and name not in list_at(schema, "required")
            if value is None and is_optional:
                return []
            raise

    def _repair_union(self, value: JsonValue, branches: list[JsonValue], depth: int) -> JsonValue:
        """Repair a value for a union. Raise `_NoRepairError` unless exactly one repaired value is possible."""
        if any(self.is_valid(value, branch, depth) for branch in branches):
            return value
        if isinstance(value, str) and any(self.accepts_strings(branch, depth) for branch in branches):
            raise _NoRepairError
        repairs = [repaired for branch in branches for repaired in self._try_branch(value, branch, depth)]
        if len({json.dumps(repaired, sort_keys=True) for repaired in repairs}) != 1:
            raise _NoRepairError
        return repairs[0]

    def _try_branch(self, value: JsonValue, branch: JsonValue, depth: int) -> list[JsonValue]:
        try:
            return [self.repair(value, branch, depth)]
        except _NoRepairError:
            return []


def _convert(value: JsonValue, schema: JsonObject) -> JsonValue:
    """Return `value`, converted if the `type`, `enum` or `const` of `schema` does not allow it."""
    listed, types = _enum_values(schema), _types_of(schema)
    if listed is not None and not _is_listed(value, listed):
        found = [one for reading in _possible_conversions(value) for one in listed if is_equal(reading, one)]
    elif types and types.isdisjoint(_types_of_value(value)):
        found = [reading for reading in _possible_conversions(value) if not types.isdisjoint(_types_of_value(reading))]
    else:
        return value
    if not found:
        raise _NoRepairError
    return found[0]


def _possible_conversions(value: JsonValue) -> list[JsonValue]:
    """Return the values to which `value` can be converted: the JSON in a string, or the integer that equals a float.

    In a string, a number, boolean or null must have JSON's own spelling: `"true"` is converted, and `"True"` is not.
    """
    if isinstance(value, float):
        return [int(value)] if abs(value) <= _LARGEST_EXACT and value.is_integer() else []
    if not isinstance(value, str):
        return []
    if value.lstrip()[:1] in ("{", "["):
        return [read for read in read_json(value) if isinstance(read, (dict, list))]
    if len(value) > _MAX_SCALAR:
        return []
    return [read for read in read_json(value) if not isinstance(read, str) and json.dumps(read) == value]


def _children(value: JsonValue, schema: JsonObject) -> Iterator[tuple[JsonValue, JsonValue]]:
    """Yield the properties or items of `value`, each with its schema."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield inner, _property_schema(schema, name)
    elif isinstance(value, list):
        rest = schema.get("items", True)
        # Before JSON Schema draft 2020-12, `items` was a list of schemas for tuples.
        first, rest = (rest, schema.get("additionalItems", True)) if isinstance(rest, list) else (None, rest)
        listed = first or list_at(schema, "prefixItems")
        for position, inner in enumerate(value):
            yield inner, listed[position] if position < len(listed) else rest


def _property_schema(schema: JsonObject, name: str) -> JsonValue:
    properties = schema.get("properties")
    if isinstance(properties, dict) and name in properties:
        return properties[name]
    # This module does not check `patternProperties`. In a schema with this keyword, a property that `properties` does
    # not list counts as valid.
    return True if "patternProperties" in schema else schema.get("additionalProperties", True)


def _types_of(schema: JsonObject) -> frozenset[str]:
    """Return the types that `schema` allows; an empty set if `type` is missing or contains an unknown type."""
    given = schema.get("type")
    names = [str(name).lower() for name in (given if isinstance(given, list) else [given])]
    return frozenset(names) if _TYPES.issuperset(names) else frozenset()


def _types_of_value(value: JsonValue) -> tuple[str, ...]:
    return _TYPES_OF_VALUES[type(value)]


def _enum_values(schema: JsonObject) -> list[JsonValue] | None:
    """Return the values of `const` or `enum`; `None` if the schema has neither."""
    if "const" in schema:
        return [schema["const"]]
    listed = schema.get("enum")
    return listed if isinstance(listed, list) else None


def _is_listed(value: JsonValue, listed: list[JsonValue]) -> bool:
    return any(is_equal(value, one) for one in listed)


def is_equal(left: JsonValue, right: JsonValue) -> bool:
    """Whether two values are equal as JSON: 1 equals 1.0, but not `true`."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_equal(left[name], right[name]) for name in left)
    return left == right


def _list_changes(before: JsonValue, after: JsonValue, path: str) -> Iterator[str]:
    """Yield a description of each difference between `before` and `after`, with its path in the arguments."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name, inner in before.items():
            place = f"{path}/{escape(name)}"[:_MAX_PATH]
            if name in after:
                yield from _list_changes(inner, after[name], place)
            else:
                yield f"{place} (null left out)"
    elif isinstance(before, list) and isinstance(after, list):
        for position, inner in enumerate(before):
            yield from _list_changes(inner, after[position], f"{path}/{position}"[:_MAX_PATH])
    elif type(before) is not type(after):
        yield f"{path} ({_types_of_value(before)[0]} to {_types_of_value(after)[0]})"


_Check: TypeAlias = "Callable[[_Validator, JsonValue, JsonObject, int], bool]"


def _check_type(_: _Validator, value: JsonValue, schema: JsonObject, __: int) -> bool:
    types = _types_of(schema)
    return not types or not types.isdisjoint(_types_of_value(value))


def _check_enum(_: _Validator, value: JsonValue, schema: JsonObject, __: int) -> bool:
    listed = _enum_values(schema)
    return listed is None or _is_listed(value, listed)


def _check_required(_: _Validator, value: JsonValue, schema: JsonObject, __: int) -> bool:
    return not isinstance(value, dict) or all(name in value for name in list_at(schema, "required"))


def _check_sizes(_: _Validator, value: JsonValue, schema: JsonObject, __: int) -> bool:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return all(compare(value, bound) for name, compare in COMPARISONS.items() for bound in _number_at(schema, name))
    if not isinstance(value, (str, list, dict)):
        return True
    lowest, highest = _COUNTS[type(value)]
    size = len(value)
    return all(size >= bound for bound in _number_at(schema, lowest)) and all(
        size <= bound for bound in _number_at(schema, highest)
    )


def _number_at(schema: JsonObject, keyword: str) -> list[int | float]:
    value = schema.get(keyword)
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


_CHECKS: dict[str, _Check] = {
    "type": _check_type,
    "enum": _check_enum,
    "const": _check_enum,
    "required": _check_required,
    "anyOf": _Validator.is_valid_for_any,
    "oneOf": _Validator.is_valid_for_one,
    **dict.fromkeys((*COMPARISONS, *chain.from_iterable(_COUNTS.values())), _check_sizes),
    **dict.fromkeys((*REFERENCES, "allOf"), _Validator.is_valid_for_all),
}

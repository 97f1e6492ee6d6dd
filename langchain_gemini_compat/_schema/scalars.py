"""Compiles the keywords of numbers, strings and enums to those that Gemini accepts.

A rewrite with the same meaning is not recorded. A weaker rewrite is recorded as a loss, and described to the model in
words.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from langchain_gemini_compat._schema.node import COMPARISONS, as_text

if TYPE_CHECKING:
    from langchain_gemini_compat._schema.node import Node
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

NUMBER_FORMATS = ("int32", "int64", "float", "double")
#: Maps types to the formats that Gemini accepts in `parameters`. Gemini answers 400 to any other format (public reports
#: about Google's native API).
_FORMATS = {
    "string": ("enum", "date-time"),
    "integer": NUMBER_FORMATS,
    "number": NUMBER_FORMATS,
}
#: Maps keywords to a value that restricts nothing, such as `uniqueItems: false`. No loss is recorded for this value.
_NEUTRAL: dict[str, JsonValue] = {
    "uniqueItems": False,
    "minProperties": 0,
    "not": False,
    "unevaluatedItems": True,
    "dependentRequired": {},
    "dependentSchemas": {},
    "dependencies": {},
}
_DEPENDENT = "Rules that apply only if a certain property is present are not checked."
#: Keywords that Gemini has no equivalent for. Each has two texts: the reason of the loss, and a sentence that tells the
#: model about the keyword. The sentence is empty if it would not help the model.
_UNSUPPORTED = {
    "pattern": ("The pattern is not checked.", "Must match {}."),
    "multipleOf": ("`multipleOf` is not checked.", "Must be a multiple of {}."),
    "contentEncoding": ("The encoding is not checked.", "Encoding: {}."),
    "contentMediaType": ("The media type is not checked.", "Media type: {}."),
    "uniqueItems": ("`uniqueItems` is not checked, so items may repeat.", "Items must be unique."),
    "unevaluatedItems": ("`unevaluatedItems` is not checked.", ""),
    "contains": ("It is not checked whether the array has the items that `contains` requires.", ""),
    "minProperties": ("The number of properties is not checked.", "At least {} members."),
    "maxProperties": ("The number of properties is not checked.", "At most {} members."),
    "dependentRequired": (_DEPENDENT, ""),
    "dependentSchemas": (_DEPENDENT, ""),
    "dependencies": (_DEPENDENT, ""),
    "not": ("`not` is not checked.", ""),
    "if": ("The condition (`if`, `then`, `else`) is not checked.", ""),
}
UNSUPPORTED_BY_TYPE = {
    "string": ("pattern", "contentEncoding", "contentMediaType"),
    "number": ("multipleOf",),
    "array": ("uniqueItems", "contains", "unevaluatedItems"),
    "object": (
        "minProperties", "maxProperties", "dependentRequired", "dependentSchemas",
        "dependencies",
    ),
    "any": ("not", "if"),
}  # fmt: skip


def record_unsupported(node: Node, kind: str) -> None:
    """Add each keyword of `node` that is in `UNSUPPORTED_BY_TYPE[kind]` to the list of lost schema parts.

    If a sentence about the keyword helps the model, it is added to the description.
    """
    for keyword in UNSUPPORTED_BY_TYPE[kind]:
        for check in node.take_checks(keyword):
            neutral = _NEUTRAL.get(keyword)
            if check.value is neutral or check.value is None or check.value == neutral == {}:
                continue
            reason, words = _UNSUPPORTED[keyword]
            value = check.value if isinstance(check.value, str) else as_text(check.value)
            node.record_loss(check.path, keyword, reason, words.format(value))


def build_string(node: Node) -> JsonObject:
    """Return the schema of a string without an enum."""
    record_unsupported(node, "string")
    return {"type": "string", **_build_format(node, "string"), **build_counts(node, "minLength", "maxLength")}


def build_number(node: Node, name: str) -> JsonObject:
    """Return the schema of an integer or number, with its bounds."""
    record_unsupported(node, "number")
    return {"type": name, **_build_format(node, name), **_build_bounds(node, whole=name == "integer")}


def build_counts(node: Node, lowest: str, highest: str) -> JsonObject:
    """Return the values of the keywords `lowest` and `highest`, such as `minLength` and `maxLength`.

    If several schemas with different bounds apply to a value, the result has the narrowest bounds.
    """
    found: JsonObject = {}
    for keyword, narrowest in ((lowest, max), (highest, min)):
        counts: list[int] = []
        for check in node.take_checks(keyword):
            number = _number(check.value)
            if number is None or number < 0 or number != int(number):
                node.record_loss(
                    check.path, keyword, f"`{keyword}` is not a whole number of at least 0, so it is not sent."
                )
            else:
                counts.append(int(number))
        if counts:
            found[keyword] = narrowest(counts)
    return found


def build_values(node: Node, types: list[str] | None) -> list[JsonObject]:
    """Compile an enum to the branches of a union.

    Gemini accepts only strings in an enum. So numbers become one branch with a range, and booleans become the type
    `boolean`.
    """
    values: list[JsonValue] = [value for value in node.values or [] if value is not None]
    typed: list[JsonValue] = [value for value in values if types is None or _has_type(value, types)]
    fitting: list[JsonValue] = [value for value in typed if _is_within(node, value)]
    if not fitting:
        return _build_unfitting_values(node, values, types or [])
    texts = [value for value in fitting if isinstance(value, str)]
    numbers = _numbers(fitting)
    if _has_gaps(numbers):
        # Do not send the numbers as strings. Otherwise, the model returns strings, and the tool refuses them.
        listed = ", ".join(map(as_text, dict.fromkeys(numbers)))
        node.record_value_loss("Numbers between the values of `enum` are accepted, too.", f"One of: {listed}.")
    if any(isinstance(value, (dict, list)) for value in fitting):
        node.record_value_loss("Objects and arrays in `enum` or `const` are not sent.")
    ranges: list[JsonObject] = []
    if texts:
        record_unsupported(node, "string")
        _build_format(node, "string", listed=True)
    if numbers:
        record_unsupported(node, "number")
        ranges = [_build_range(node, numbers)]
    return [*_build_texts(node, texts), *ranges, *_build_booleans(node, fitting)]


def _build_unfitting_values(node: Node, values: list[JsonValue], types: list[str]) -> list[JsonObject]:
    """Compile an enum in which every value violates another keyword of the schema.

    If the types allow strings or numbers, the enum's strings and numbers are sent as strings. Otherwise, the enum is
    left out.
    """
    if values:
        keyword = node.values_paths[0].rpartition("/")[2]
        reason = "In the original schema, no value of `enum` or `const` satisfies the other keywords."
        node.record_place_loss(keyword, reason)
    if not {"string", "integer", "number"} & set(types):
        return []
    texts = [value if isinstance(value, str) else as_text(value) for value in values if _is_text_or_number(value)]
    return _build_texts(node, texts)


def _is_within(node: Node, value: JsonValue) -> bool:
    """Whether a value of an enum is within the bounds of the same schema."""
    if isinstance(value, str):
        counts = build_counts(node, "minLength", "maxLength")
        lowest, highest = _number(counts.get("minLength")), _number(counts.get("maxLength"))
        return (lowest or 0) <= len(value) and (highest is None or len(value) <= highest)
    number = _number(value)
    return number is None or all(
        compare(number, bound)
        for keyword, compare in COMPARISONS.items()
        for check in node.take_checks(keyword)
        if (bound := _number(check.value)) is not None
    )


def _is_text_or_number(value: JsonValue) -> bool:
    return isinstance(value, str) or _number(value) is not None


def _build_texts(node: Node, texts: list[str]) -> list[JsonObject]:
    listed: list[JsonValue] = [text for text in dict.fromkeys(texts) if text]
    if "" in texts:
        node.record_value_loss("The empty string in `enum` or `const` is not sent.")
    if listed:
        return [{"type": "string", "enum": listed}]
    return [build_string(node)] if texts else []


def _build_booleans(node: Node, values: list[JsonValue]) -> list[JsonObject]:
    found = {value for value in values if isinstance(value, bool)}
    if len(found) == 1:
        valid = next(iter(found))
        other = as_text(not valid)
        reason = f"The original schema does not allow `{other}`. The schema that is sent also allows `{other}`."
        node.record_value_loss(reason, f"Never {other}.")
    return [{"type": "boolean"}] if found else []


def _build_range(node: Node, numbers: list[int | float]) -> JsonObject:
    """Return the range from the lowest to the highest of `numbers`."""
    name = "integer" if all(isinstance(number, int) for number in numbers) else "number"
    return {"type": name, **_build_format(node, name), "minimum": min(numbers), "maximum": max(numbers)}


def _has_gaps(numbers: list[int | float]) -> bool:
    """Whether numbers that are not in `numbers` lie between the lowest and the highest of `numbers`."""
    different = set(numbers)
    if not different:
        return False
    if all(isinstance(number, int) for number in different):
        return max(different) - min(different) != len(different) - 1
    return len(different) > 1


def _numbers(values: list[JsonValue]) -> list[int | float]:
    found = (_number(value) for value in values)
    return [int(number) if number == int(number) else number for number in found if number is not None]


def _number(value: JsonValue) -> int | float | None:
    """Return `value` if it is a finite number and not a boolean, else `None`."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _has_type(value: JsonValue, types: list[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in types
    if isinstance(value, str):
        return "string" in types
    if isinstance(value, (int, float)):
        return "number" in types or ("integer" in types and (isinstance(value, int) or value.is_integer()))
    return ("object" if isinstance(value, dict) else "array") in types


def _build_format(node: Node, name: str, *, listed: bool = False) -> JsonObject:
    """Return a dict with the key `format`, or an empty dict if the node has no format that Gemini accepts.

    If the node has several accepted formats, the first one is used. For an enum of strings (`listed`), Gemini accepts
    only the format `enum`.
    """
    kept = ("enum",) if listed else _FORMATS[name]
    found: JsonObject = {}
    for check in node.take_checks("format"):
        if isinstance(check.value, str) and check.value in kept and found.get("format", check.value) == check.value:
            found["format"] = check.value
            continue
        text = f"Format: {check.value}." if isinstance(check.value, str) and name == "string" else ""
        node.record_loss(check.path, "format", "The format is not checked.", text)
    return found


def _build_bounds(node: Node, *, whole: bool) -> JsonObject:
    found: JsonObject = {}
    lows = [math.ceil(low) if whole else low for low in _plain_bounds(node, "minimum")]
    highs = [math.floor(high) if whole else high for high in _plain_bounds(node, "maximum")]
    lows += _exclusive_bounds(node, "exclusiveMinimum", "minimum", whole=whole)
    highs += _exclusive_bounds(node, "exclusiveMaximum", "maximum", whole=whole)
    if lows:
        found["minimum"] = max(lows)
    if highs:
        found["maximum"] = min(highs)
    return found


def _plain_bounds(node: Node, keyword: str) -> list[int | float]:
    bounds: list[int | float] = []
    for check in node.take_checks(keyword):
        number = _number(check.value)
        if number is None:
            node.record_loss(check.path, keyword, f"`{keyword}` is not a number, so it is not sent.")
        else:
            bounds.append(number)
    return bounds


def _exclusive_bounds(node: Node, keyword: str, plain: str, *, whole: bool) -> list[int | float]:
    """Convert exclusive bounds to inclusive ones.

    In JSON Schema draft 4, the exclusive keyword is a boolean: `exclusiveMinimum: true` excludes the value of `minimum`
    itself, and `false` excludes nothing. The same applies to `exclusiveMaximum` and `maximum`.
    """
    up = plain == "minimum"
    bounds: list[int | float] = []
    for check in node.take_checks(keyword):
        excluded = _number(check.value)
        numbers: list[int | float] = []
        if check.value is True:
            numbers = _plain_bounds(node, plain)
        elif excluded is not None:
            numbers = [excluded]
        elif check.value is not False:
            node.record_loss(check.path, keyword, f"`{keyword}` is not a number, so it is not sent.")
        for number in numbers:
            if whole:
                bounds.append(math.floor(number) + 1 if up else math.ceil(number) - 1)
                continue
            bounds.append(number)
            side = "greater" if up else "less"
            reason = f"`{keyword}` excludes {number}, but the schema that is sent allows it."
            node.record_loss(check.path, keyword, reason, f"Must be {side} than {number}.")
    return bounds

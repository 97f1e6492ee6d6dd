"""Computes the array bounds that Gemini accepts in one request.

If the `maxItems` of a request add up to about 960, in one array or in many, Gemini answers 400 without a reason
(https://github.com/googleapis/python-genai/issues/2170). In this sum, the bound of an inner array is multiplied by the
bound of the outer array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat._wire.json_types import list_at, object_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Maximum sum of all array bounds in one request. For eight arrays, Gemini accepted a sum of 952 and refused 960.
_MOST_STATES = 900


def find_most_items(schemas: Iterable[JsonObject]) -> int | None:
    """Return the highest array bound (`minItems` or `maxItems`) that may stay in the `schemas` of one request.

    Return `None` if all bounds may stay, and 0 if none may stay.

    >>> find_most_items([{"type": "array", "items": {"type": "string"}, "maxItems": 10_000}])
    0
    """
    whole: list[JsonValue] = [*schemas]
    bounds = sorted(set(_find_bounds(whole)), reverse=True)
    if not bounds or _count_states(whole, bounds[0]) <= _MOST_STATES:
        return None
    return next((bound for bound in bounds[1:] if _count_states(whole, bound) <= _MOST_STATES), 0)


def has_bounds(schema: JsonObject) -> bool:
    """Return whether an array in a compiled schema has a bound."""
    return any(_find_bounds([schema]))


def _find_bounds(value: JsonValue) -> Iterator[int]:
    for schema in _inside(value):
        bound = _bound_of(schema)
        if bound:
            yield bound
        yield from _find_bounds(schema)


def _count_states(value: JsonValue, most: int) -> int:
    """Return the sum of all array bounds that are not above `most`."""
    total = 0
    for schema in _inside(value):
        bound = _bound_of(schema)
        kept = bound if bound <= most else 0
        total += kept + max(kept, 1) * _count_states(schema, most)
    return total


def _bound_of(schema: JsonObject) -> int:
    bounds = (schema.get(keyword) for keyword in ("minItems", "maxItems"))
    return max((bound for bound in bounds if isinstance(bound, int)), default=0)


def _inside(value: JsonValue) -> list[JsonObject]:
    """Return the direct subschemas of a compiled schema or of a list of schemas."""
    if isinstance(value, list):
        found = value
    elif isinstance(value, dict):
        found = [*list_at(value, "anyOf"), *object_at(value, "properties").values()]
        found += [value[key] for key in ("items", "additionalProperties") if key in value]
    else:
        return []
    return [schema for schema in found if isinstance(schema, dict)]

"""Builds sample values for a compiled schema.

The samples cover bounds, enum values, each branch of a union, and objects with and without optional properties. A
sample has properties that the schema does not name in two cases only: the schema names no properties, or it has
`additionalProperties`.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

TEXTS = ["", "a", "7", "null", "Two words.", "é\n{}"]
MOMENTS = ["2026-01-31T23:59:59Z", "1999-12-31T00:00:00.5+02:00"]
NUMBERS = [0, 1, -1, 2, 7, 12, -40, 1_000_003]
RANGES = {"int32": 2**31 - 1, "int64": 2**63 - 1}
LONGEST = 300
ABSENT = object()


def build_samples(schema: dict[str, Any] | None) -> list[Any]:
    """Return values that satisfy a compiled schema. `None` stands for a tool without arguments."""
    if schema is None:
        return [{}]
    found = [None] if schema.get("nullable") else []
    if "anyOf" in schema:
        return found + [sample for branch in schema["anyOf"] for sample in build_samples(branch)]
    return found + BUILDERS[schema["type"]](schema)


def _build_texts(schema: dict[str, Any]) -> list[str]:
    if "enum" in schema:
        return list(schema["enum"])
    low, high = schema.get("minLength", 0), schema.get("maxLength", LONGEST)
    edges = ["x" * low, "y" * min(high, low + LONGEST)]
    texts = MOMENTS if schema.get("format") == "date-time" else [*TEXTS, *edges]
    return [text for text in dict.fromkeys(texts) if low <= len(text) <= high]


def _build_numbers(schema: dict[str, Any]) -> list[int | float]:
    whole = schema["type"] == "integer"
    furthest = RANGES.get(schema.get("format", ""), float("inf"))
    low, high = schema.get("minimum", -furthest), schema.get("maximum", furthest)
    edges = [edge for edge in (low, high) if abs(edge) != float("inf")]
    near = [number for edge in edges for number in (edge, edge + 1, edge - 1)]
    inner = (
        [] if whole else [0.5, -2.25, *(number + 0.5 for number in near), *([(low + high) / 2] if edges[1:] else [])]
    )
    return [number for number in dict.fromkeys([*near, *inner, *NUMBERS]) if low <= number <= high]


def _build_arrays(schema: dict[str, Any]) -> list[list[Any]]:
    low, high = schema.get("minItems", 0), schema.get("maxItems", 1_000)
    items = build_samples(schema["items"])
    found = [[item] * max(low, 1) for item in items] if high >= max(low, 1) else []
    if low == 0:
        found.append([])
    if items and high >= 2:
        length = min(high, max(low, min(len(items), 4), 2))
        found += [[items[(start + step) % len(items)] for step in range(length)] for start in range(2)]
        found += [[items[-1]] * min(high, low + 5)] if high >= low else []
    return [value for value in found if low <= len(value) <= high]


def _build_objects(schema: dict[str, Any]) -> list[dict[str, Any]]:
    properties, required = schema.get("properties", {}), schema.get("required", [])
    extra = schema.get("additionalProperties", not properties)
    others = build_samples(extra) if isinstance(extra, dict) else ["text"] if extra else []
    columns = {name: build_samples(value) for name, value in properties.items()}
    if not all(columns[name] for name in required):
        return []
    least = {name: columns[name][0] for name in required}
    rows = [
        least | {name: value for name, value in zip(columns, row, strict=True) if value is not ABSENT}
        for row in zip_longest(*columns.values(), fillvalue=ABSENT)
    ]
    alone = [least | {name: columns[name][-1]} for name in columns if name not in least and columns[name]]
    return [least, *rows, *alone, *(least | {"other": value} for value in others)]


BUILDERS = {
    "string": _build_texts,
    "integer": _build_numbers,
    "number": _build_numbers,
    "boolean": lambda schema: [True, False],
    "array": _build_arrays,
    "object": _build_objects,
}

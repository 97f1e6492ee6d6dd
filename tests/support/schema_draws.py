"""Hypothesis strategies for JSON schemas: valid in their dialect, sometimes contradictory, often recursive.

References occur only in properties and items, because validation might otherwise never end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = st.SearchStrategy[Any]

NAMES = ["a", "b", "c"]
PATTERNS = ["^a", "^[a-c]+$", "b$", "^x-"]
COUNTS, BOUNDS = st.integers(0, 4), st.integers(-3, 9) | st.sampled_from([0.5, 2.5, 7.0])
TEXTS = st.sampled_from(["", "a", "b", "7", "long one"])
SCALARS = st.none() | st.booleans() | st.integers(-2, 6) | st.sampled_from([0.5, 1.0]) | TEXTS
VALUES = SCALARS | st.sampled_from([{"a": "a"}, {}, ["a"], [1]])
KINDS = st.sampled_from(["string", "integer", "number", "boolean", "null", "object", "array"])
FORMATS = st.sampled_from(["date-time", "date", "uuid", "int32", "int64", "float", "uint8", "enum"])
REFERENCES = st.sampled_from(["A", "B", "C"]).map(lambda name: {"$ref": f"#/$defs/{name}"})
ANYTHING = st.sampled_from([True, False, {}, {"not": {}}, {"description": "any"}])


def choose(keywords: dict[str, Draw], most: int = 3, **always: Draw) -> Draw:
    """Draw a schema with some of the optional `keywords`, and with all keywords of `always`."""
    some = st.lists(st.sampled_from(sorted(keywords)), max_size=most, unique=True)
    return some.flatmap(lambda names: st.fixed_dictionaries({**always, **{name: keywords[name] for name in names}}))


TEXT_WORDS: dict[str, Draw] = {
    "minLength": COUNTS, "maxLength": COUNTS, "pattern": st.sampled_from(PATTERNS), "format": FORMATS,
    "contentEncoding": st.just("base64"), "default": VALUES, "enum": st.lists(TEXTS, min_size=1, max_size=3),
}  # fmt: skip
NUMBER_WORDS: dict[str, Draw] = {
    "minimum": BOUNDS, "maximum": BOUNDS, "exclusiveMinimum": BOUNDS, "exclusiveMaximum": BOUNDS, "format": FORMATS,
    "multipleOf": st.sampled_from([1, 2, 0.5]), "enum": st.lists(st.integers(-2, 6), min_size=1, max_size=3),
}  # fmt: skip
LEAVES = st.one_of(
    choose(TEXT_WORDS, type=st.just("string")),
    choose(NUMBER_WORDS, type=st.sampled_from(["integer", "number"])),
    choose({**TEXT_WORDS, **NUMBER_WORDS}),
    choose({**TEXT_WORDS, **NUMBER_WORDS}, type=KINDS | st.lists(KINDS, min_size=1, max_size=3, unique=True)),
    st.fixed_dictionaries({"const": VALUES}),
    st.fixed_dictionaries({"enum": st.lists(VALUES, min_size=1, max_size=4)}),
    st.fixed_dictionaries({"type": KINDS}),
    ANYTHING,
)


def build_objects(inner: Draw, beside: Draw) -> Draw:
    """Draw schemas of objects.

    `inner` draws the schemas of the properties. `beside` draws the schemas in `dependentSchemas`, which apply to the
    whole object.
    """
    some = st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    names, some_names = (
        st.lists(st.sampled_from([*NAMES, "d"]), min_size=least, max_size=2, unique=True) for least in (0, 1)
    )
    words: dict[str, Draw] = {
        "required": names, "additionalProperties": st.booleans() | inner, "minProperties": COUNTS,
        "maxProperties": COUNTS, "patternProperties": st.dictionaries(st.sampled_from(PATTERNS), inner, max_size=2),
        "propertyNames": choose({"pattern": st.sampled_from(PATTERNS), "enum": some_names}, 1),
        "dependentRequired": st.dictionaries(st.sampled_from(NAMES), names, max_size=1),
        "dependentSchemas": st.dictionaries(st.sampled_from(NAMES), beside, max_size=1),
        "unevaluatedProperties": st.booleans() | inner,
    }  # fmt: skip
    return choose(words, properties=some, type=st.just("object")) | choose({**words, "properties": some}, 2)


def build_arrays(inner: Draw, *, old: bool) -> Draw:
    """Draw schemas of arrays and tuples. If `old` is true, they have the keywords of draft 7."""
    places = st.lists(inner, min_size=1, max_size=3)
    words: dict[str, Draw] = {
        "minItems": COUNTS, "maxItems": COUNTS, "uniqueItems": st.booleans(), "contains": inner,
        "items": inner | places if old else inner,
        **({"additionalItems": inner} if old else {"prefixItems": places, "unevaluatedItems": st.booleans()}),
    }  # fmt: skip
    return choose(words, type=st.just("array")) | choose(words, 2)


def build_combined(inner: Draw, base: Draw) -> Draw:
    """Draw schemas with unions and conditions, alone or together with the keywords of `base`."""
    many = st.lists(inner, min_size=1, max_size=3)
    words: dict[str, Draw] = {
        "anyOf": many, "oneOf": many, "allOf": many, "not": inner, "description": st.just("words"),
        "if": inner, "then": inner, "else": inner,
    }  # fmt: skip
    alone = choose(words, 2)
    return alone | st.builds(_put_together, alone, base)


def _put_together(first: Any, second: Any) -> Any:
    return {**second, **first} if isinstance(second, dict) else first


def extend(leaves: Draw, *, old: bool) -> Draw:
    """Draw schemas of all kinds from simpler ones."""

    def build(inner: Draw) -> Draw:
        plain = build_objects(inner, inner) | build_arrays(inner, old=old)
        return plain | build_combined(inner, plain | LEAVES)

    return st.recursive(leaves, build, max_leaves=8)


def build_roots(*, old: bool) -> Draw:
    """Draw whole schemas whose definitions refer to each other."""
    own, far = extend(LEAVES, old=old), extend(LEAVES | REFERENCES, old=old)
    definitions = st.one_of(
        build_objects(far, own),
        build_arrays(far, old=old).map(lambda schema: {key: schema[key] for key in schema if key != "contains"}),
        own,
    )
    dialect = "http://json-schema.org/draft-07/schema#" if old else "https://json-schema.org/draft/2020-12/schema"
    members = st.fixed_dictionaries({"p": far}, optional={"q": far, "r": own})
    always: dict[str, Draw] = {
        "$schema": st.just(dialect),
        "$defs": st.fixed_dictionaries(dict.fromkeys("ABC", definitions)),
        "properties": members,
    }
    words: dict[str, Draw] = {
        "type": st.just("object"), "required": st.lists(st.sampled_from("pqs"), max_size=2, unique=True),
        "additionalProperties": st.booleans(), "anyOf": st.lists(own, min_size=1, max_size=3),
        "oneOf": st.lists(build_objects(own, own), min_size=1, max_size=3), "allOf": st.lists(far, max_size=2),
        "$ref": st.just("#/$defs/A"),
    }  # fmt: skip
    return choose(words, **always)


def build_any(build: Callable[..., Draw] = build_roots) -> Draw:
    """Draw schemas of draft 7 and of draft 2020-12."""
    return build(old=False) | build(old=True)

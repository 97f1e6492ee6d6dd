"""Collects everything that a JSON Schema says about one value in a `Node`.

Several schemas can describe the same value. For example, `$ref` and `allOf` add schemas. All schemas of a value are
called its *sources*, and the value must satisfy all of them. The position of a value in the original schema is called a
*place*.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

TYPES = ("object", "array", "string", "integer", "number", "boolean")
NULL = "null"
REFERENCES = ("$ref", "$recursiveRef", "$dynamicRef")
#: Maps each keyword to a function that compares a number with the bound, and returns whether the number is valid.
COMPARISONS = {"minimum": ge, "maximum": le, "exclusiveMinimum": gt, "exclusiveMaximum": lt}
#: Maximum length of a sentence in a description.
_MAX_SENTENCE = 240
#: Maximum length of the text that describes the values of a map (an object with any property names). The limit is high,
#: because only this text describes the values.
MAX_FORM = 2_000
_MAX_EXAMPLES = 3
NOT_SENT = "Gemini does not accept this keyword, so it is not sent."
ONE_OF = "A value that matches several alternatives of `oneOf` is accepted."
#: If a schema has a union, its other keywords are copied into each branch of the union. These keywords are not copied,
#: because they do not restrict values, or are handled separately.
_ANNOTATIONS = frozenset(
    {
        "description", "title", "default", "examples", "example", "deprecated", "nullable", "discriminator",
        "$ref", "$recursiveRef", "$dynamicRef", "allOf", "anyOf", "oneOf", "$defs", "definitions", "$schema",
        "$id", "$comment", "$anchor", "readOnly", "writeOnly",
    }
)  # fmt: skip
#: Keywords that may forbid null even if `type` allows it.
_APPLICATORS = frozenset({"$ref", "allOf", "anyOf", "oneOf", "not", "if"})
#: Keywords that restrict values of one type. Each is kept in the compiled schema, or recorded as a loss.
_CHECKS = frozenset(
    {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
        "pattern", "format", "contentEncoding", "contentMediaType", "minItems", "maxItems", "uniqueItems",
        "contains", "minProperties", "maxProperties", "patternProperties", "propertyNames", "dependentRequired",
        "dependentSchemas", "dependencies", "additionalProperties", "unevaluatedProperties", "unevaluatedItems",
        "not", "if",
    }
)  # fmt: skip
#: Further keywords that `_add_unknown` skips: other code reads them, or they do not restrict values.
_READ_ELSEWHERE = frozenset(
    {
        "type", "enum", "const", "properties", "required", "items", "prefixItems", "additionalItems", "then", "else",
        "minContains", "maxContains", "id", "$vocabulary", "$dynamicAnchor", "$recursiveAnchor",
        "components",
    }
)  # fmt: skip
#: Keywords of draft 3 whose values are schemas.
_DRAFT_3_SCHEMAS = ("extends", "disallow")
#: Maps a keyword to the sentence that is added to the description of a property with this keyword.
_ACCESS_SENTENCES = {"readOnly": "Read-only.", "writeOnly": "Write-only."}
_KNOWN = (_ANNOTATIONS | _CHECKS | _READ_ELSEWHERE) - _ACCESS_SENTENCES.keys()


@dataclass(frozen=True, slots=True)
class Loss:
    """A restriction of the original schema that the compiled schema does not have."""

    #: JSON pointer of the place in the original schema, such as `/properties/when/format`.
    path: str
    #: The keyword that was dropped or weakened.
    keyword: str
    #: One or two short sentences that tell the user what the server no longer checks. They must be clear without the
    #: schema.
    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """A schema that a value must satisfy, and the JSON pointer of the schema."""

    schema: JsonValue
    path: str
    #: JSON pointers of the definitions that contain this schema. A definition that contains itself is listed once for
    #: each level.
    enclosing: tuple[str, ...] = ()
    #: If this schema comes from a union with only one branch beside null: the JSON pointer of the union. Null is then
    #: valid even if this schema forbids it.
    nullable_union: str = ""

    def child(self, value: JsonValue, *steps: str | int) -> Source:
        """Return a source for `value`. The path of the source is the path of this schema, extended by `steps`."""
        path = self.path + "".join(f"/{escape(step)}" for step in steps)
        return Source(value, path, self.enclosing)


@dataclass(frozen=True, slots=True)
class Check:
    """A keyword with its value, its JSON pointer, and the definitions that contain the keyword."""

    keyword: str
    value: JsonValue
    path: str
    enclosing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SchemaUnion:
    """An `anyOf` or `oneOf` with at least two branches other than null."""

    keyword: str
    value: JsonValue
    source: Source
    branches: list[Source]
    with_null: bool
    #: Has one list for each branch. The list contains the schema that a `discriminator` adds to the branch, if any.
    tags: list[list[Source]]


@dataclass(slots=True)
class Node:
    """Everything that a JSON Schema says about one value."""

    path: str
    losses: list[Loss]
    #: Maps the JSON pointer of each `Check` to whether the compiler has used this check. All nodes of a schema share
    #: this dict, so that unused checks are found at the end.
    checks_read: dict[str, bool] = field(default_factory=dict[str, bool])
    #: JSON pointers of the schemas for this value, except schemas that a `$ref`, `allOf` or union adds.
    paths: list[str] = field(default_factory=list[str])
    #: The types that the value may have, except null; `None` if no schema of this value has a `type`.
    types: list[str] | None = None
    #: Whether null is allowed; `None` if no source allows or forbids it.
    null: bool | None = None
    #: JSON pointer of each `oneOf` that consists of null and one other branch.
    null_unions: list[str] = field(default_factory=list[str])
    #: Whether this value has a union of null and one branch that forbids null. Null then satisfies exactly one branch,
    #: so even a `oneOf` accepts it.
    null_is_exclusive: bool = False
    #: Whether a schema of this value has `nullable: true`. This schema then allows null even if it contains a union
    #: without null.
    flagged_nullable: bool = False
    values: list[JsonValue] | None = None
    #: JSON pointers of the keywords (`enum` or `const`) that list the values.
    values_paths: list[str] = field(default_factory=list[str])
    properties: dict[str, list[Source]] = field(default_factory=dict[str, "list[Source]"])
    #: Maps each required property name to the JSON pointers of the keywords that require the property.
    required: dict[str, list[str]] = field(default_factory=dict[str, "list[str]"])
    items: list[Source] = field(default_factory=list["Source"])
    prefix: list[Source] = field(default_factory=list["Source"])
    #: Maximum number of items of a tuple.
    max_tuple: int | None = None
    checks: list[Check] = field(default_factory=list["Check"])
    unions: list[SchemaUnion] = field(default_factory=list["SchemaUnion"])
    #: The schemas of this value, without the keywords in `_ANNOTATIONS`. If the value has a union, the compiler copies
    #: these schemas into each branch.
    assertions: list[Source] = field(default_factory=list["Source"])
    descriptions: list[str] = field(default_factory=list[str])
    sentences: list[str] = field(default_factory=list[str])

    def record_loss(self, path: str, keyword: str, reason: str, sentence: str = "") -> None:
        """Add a `Loss` to `losses`. Also add `sentence` to the description, to tell the model about the restriction."""
        self.losses.append(Loss(path, keyword, reason))
        self.add_sentence(sentence)

    def record_value_loss(self, reason: str, sentence: str = "") -> None:
        """Add a `Loss` to `losses` for each `enum` or `const` that describes this value."""
        for path in self.values_paths:
            self.record_loss(path, path.rpartition("/")[2], reason)
        self.add_sentence(sentence)

    def record_place_loss(self, keyword: str, reason: str, sentence: str = "") -> None:
        """Add a `Loss` to `losses` for each JSON pointer in `path` and `paths`."""
        for path in dict.fromkeys([self.path, *self.paths]):
            self.record_loss(path, keyword, reason)
        self.add_sentence(sentence)

    def require(self, name: str, path: str) -> None:
        """Make the property `name` required. `path` is the JSON pointer of the keyword that requires the property."""
        self.required.setdefault(name, []).append(path)

    def add_sentence(self, sentence: str, longest: int = _MAX_SENTENCE) -> bool:
        """Add `sentence` to the description. Return `False` if `sentence` is empty or too long to be added."""
        fits = 0 < len(sentence) <= longest
        if fits:
            self.sentences.append(sentence)
        return fits

    def take_checks(self, keyword: str) -> list[Check]:
        """Return all checks of `keyword`, and mark them as used."""
        found = [check for check in self.checks if check.keyword == keyword]
        self.checks_read.update((check.path, True) for check in found)
        return found

    def add(self, source: Source, schema: JsonObject) -> None:
        """Add the keywords of `schema` to this node. `Reader` adds unions and references."""
        self._add_types(source, schema)
        self._add_values(source, schema)
        self._add_null(source, schema)
        self._add_members(source, schema)
        self._add_items(source, schema)
        self._add_text(source, schema)
        self._add_unknown(source, schema)
        added = [
            Check(key, value, f"{source.path}/{key}", source.enclosing)
            for key, value in schema.items()
            if key in _CHECKS
        ]
        self.checks.extend(added)
        for check in added:
            self.checks_read.setdefault(check.path, False)
        base: JsonObject = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
        if base:
            self.assertions.append(replace(source, schema=base))

    def _add_types(self, source: Source, schema: JsonObject) -> None:
        names = type_names(schema)
        if names is None:
            return
        known = [name for name in names if name in TYPES]
        if len(known) + names.count(NULL) < len(names):
            self.record_loss(
                f"{source.path}/type",
                "type",
                "`type` contains a name that is not a type of JSON Schema. This name is ignored.",
            )
            if not known and NULL not in names:
                return
        if self.types is None:
            self.types = known
        elif known or NULL not in names:
            common = intersect_types(self.types, known)
            if common or not self.types:
                self.types = common
            else:
                self.record_loss(
                    f"{source.path}/type",
                    "type",
                    "The schema has two contradictory `type` keywords for this value. This one is ignored.",
                )
        else:
            self.types = []

    def _add_values(self, source: Source, schema: JsonObject) -> None:
        if "const" in schema:
            self._narrow_values(f"{source.path}/const", [schema["const"]])
        values = schema.get("enum")
        if isinstance(values, list) and values:
            self._narrow_values(f"{source.path}/enum", values)
        elif "enum" in schema:
            self.record_loss(
                f"{source.path}/enum", "enum", "`enum` is not a list with at least one value, so it is not sent."
            )

    def _narrow_values(self, path: str, values: list[JsonValue]) -> None:
        allowed = {value_key(value): value for value in values}
        if self.values is None:
            self.values_paths, self.values = [path], list(allowed.values())
            return
        common = [value for value in self.values if value_key(value) in allowed]
        if common:
            self.values = common
            self.values_paths.append(path)
        else:
            keyword = path.rpartition("/")[2]
            reason = f"This `{keyword}` shares no value with another `enum` or `const`, so it is ignored."
            self.record_loss(path, keyword, reason)

    def _add_null(self, source: Source, schema: JsonObject) -> None:
        names, values = type_names(schema), enum_values(schema)
        allows_null: bool | None = None
        if names is not None or values is not None:
            allows_null = (names is None or NULL in names) and (values is None or None in values)
        if source.nullable_union:
            self.null_is_exclusive = self.null_is_exclusive or allows_null is False
            if source.nullable_union.endswith("/oneOf"):
                self.null_unions.append(source.nullable_union)
        if source.nullable_union or schema.get("nullable") is True:
            allows_null = True
            self.flagged_nullable = self.flagged_nullable or schema.get("nullable") is True
        if allows_null is not None:
            self.null = allows_null and self.null is not False

    def _add_members(self, source: Source, schema: JsonObject) -> None:
        properties = schema.get("properties")
        if isinstance(properties, dict):
            for name, value in properties.items():
                self.properties.setdefault(name, []).append(source.child(value, "properties", name))
                if isinstance(value, dict) and value.get("required") is True:
                    # In JSON Schema draft 3, `required` is a boolean in the property itself.
                    self.require(name, f"{source.path}/properties/{escape(name)}/required")
        elif properties is not None:
            self.record_loss(
                f"{source.path}/properties", "properties", "`properties` is not an object, so it is not sent."
            )
        required = schema.get("required")
        if isinstance(required, list):
            for name in dict.fromkeys(name for name in required if isinstance(name, str)):
                self.require(name, f"{source.path}/required")
        elif required not in (None, False) and not _is_draft_3_required(source.path, required):
            self.record_loss(
                f"{source.path}/required", "required", "`required` is not a list of names, so it is not sent."
            )

    def _add_unknown(self, source: Source, schema: JsonObject) -> None:
        for keyword, value in schema.items():
            if keyword in _KNOWN or value is None or (keyword in _ACCESS_SENTENCES and value is False):
                continue
            if not source.path and isinstance(value, (dict, list)) and keyword not in _DRAFT_3_SCHEMAS:
                # Record no loss for an unknown key at the top level of the schema, because its value may contain
                # schemas to which a `$ref` refers.
                continue
            self.record_loss(f"{source.path}/{escape(keyword)}", keyword, NOT_SENT, _ACCESS_SENTENCES.get(keyword, ""))

    def _add_items(self, source: Source, schema: JsonObject) -> None:
        items, prefix, rest = schema.get("items"), schema.get("prefixItems"), schema.get("items")
        where = "prefixItems"
        if isinstance(items, list):
            prefix, rest, where = items, schema.get("additionalItems"), "items"
        prefix = prefix if isinstance(prefix, list) else []
        self.prefix.extend(source.child(value, where, index) for index, value in enumerate(prefix))
        if is_false_schema(rest):
            self.max_tuple = min(len(prefix), len(prefix) if self.max_tuple is None else self.max_tuple)
        elif isinstance(rest, dict):
            self.items.append(source.child(rest, "additionalItems" if where == "items" else "items"))

    def _add_text(self, source: Source, schema: JsonObject) -> None:
        description = schema.get("description")
        if isinstance(description, str):
            if description.strip() and description.strip() not in self.descriptions:
                self.descriptions.append(description.strip())
        elif description is not None:
            self.record_loss(
                f"{source.path}/description", "description", "`description` is not a string, so it is not sent."
            )
        if schema.get("default") is not None and not self.add_sentence(f"Default: {as_text(schema['default'])}."):
            self.record_loss(f"{source.path}/default", "default", "`default` is too long for the description.")
        self._add_examples(source, schema)
        if schema.get("deprecated") is True:
            self.add_sentence("Deprecated.")

    def _add_examples(self, source: Source, schema: JsonObject) -> None:
        examples, keyword = schema.get("examples"), "examples" if schema.get("examples") else "example"
        found = examples if isinstance(examples, list) else [schema["example"]] if "example" in schema else []
        kept = [as_text(value) for value in found[:_MAX_EXAMPLES]]
        while kept and not self.add_sentence(f"Examples: {', '.join(kept)}."):
            kept.pop()
        reason = ""
        if examples and not isinstance(examples, list):
            reason = "`examples` is not a list, so it is not sent."
        elif len(kept) < len(found):
            listed = f"The description contains only {len(kept)} of the {len(found)} values in `{keyword}`."
            reason = listed if kept else f"`{keyword}` is too long for the description."
        if reason:
            self.record_loss(f"{source.path}/{keyword}", keyword, reason)


def _is_draft_3_required(path: str, required: JsonValue) -> bool:
    """Whether `required` is `true` and belongs to a property, as in JSON Schema draft 3."""
    return required is True and path.rpartition("/")[0].endswith("/properties")


def escape(step: str | int) -> str:
    """Escape a key or index for a JSON pointer."""
    return str(step).replace("~", "~0").replace("/", "~1")


def type_names(schema: JsonObject) -> list[str] | None:
    """Return the names in `type`, in lower case; `None` if there is no `type`."""
    found = schema.get("type")
    if found is None:
        return None
    names = found if isinstance(found, list) else [found]
    return list(dict.fromkeys(name.lower() if isinstance(name, str) else "" for name in names)) or None


def enum_values(schema: JsonObject) -> list[JsonValue] | None:
    """Return the values of `const` or `enum`; `None` if the schema does not list values."""
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return values if isinstance(values, list) and values else None


def intersect_types(first: Iterable[str], second: Iterable[str]) -> list[str]:
    """Return the types that are in both lists, in the order of the first list. An integer is also a number."""
    others = set(second)
    common: list[str] = []
    for name in first:
        if name in others or (name == "integer" and "number" in others):
            common.append(name)
        elif name == "number" and "integer" in others:
            common.append("integer")
    return list(dict.fromkeys(common))


def value_key(value: JsonValue) -> str:
    """Return a string that is the same for equal JSON values: `1` and `1.0`, but not `1` and `true`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return as_text(value, sort_keys=True)


def as_text(value: JsonValue, *, sort_keys: bool = False) -> str:
    """Return a value as compact JSON."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=sort_keys, default=_as_json)
    except RecursionError:
        return "a deeply nested value"
    except (TypeError, ValueError):
        # `json.dumps` refuses the value: it contains itself, or its property names cannot be sorted.
        return repr(value)


def _as_json(value: object) -> object:
    """Return a JSON value for a Python object in a schema, such as a date from YAML."""
    if isinstance(value, (set, frozenset)):
        return sorted(cast("Iterable[object]", value), key=repr)
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def is_false_schema(schema: JsonValue) -> bool:
    """Whether no value satisfies the schema: `false`, or `{"not": {}}` as zod writes it for `never`."""
    if not isinstance(schema, dict):
        return schema is False
    excluded = schema.get("not")
    return excluded is True or excluded == {}


def is_null_only(schema: JsonValue) -> bool:
    """Whether a branch of a union allows only null."""
    if not isinstance(schema, dict) or not _APPLICATORS.isdisjoint(schema):
        return False
    return type_names(schema) == [NULL] or enum_values(schema) == [None]

"""Compiles a JSON Schema from the top down, place by place.

A place is a position in a schema that describes one value, such as a property or the items of an array. The
compiled schema uses only the subset that Gemini accepts, and never nests deeper than `max_depth`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from langchain_gemini_compat._schema.node import ONE_OF, Source, enum_values, escape, is_false_schema
from langchain_gemini_compat._schema.references import resolve_pointer
from langchain_gemini_compat._schema.scalars import (
    NUMBER_FORMATS,
    build_counts,
    build_number,
    build_string,
    build_values,
    record_unsupported,
)
from langchain_gemini_compat._schema.unions import (
    add_description,
    build_union,
    choose_unions,
    describe_map_values,
    is_disjoint_union,
    order_keywords,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_gemini_compat._schema.node import Check, Node, SchemaUnion
    from langchain_gemini_compat._schema.references import Reader
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Maximum number of names in `propertyNames` that become `properties`.
_MAX_NAMES = 50
_TOO_DEEP = "The original schema is too deep or too large, so the part that describes this value is not checked."
_FORBIDDEN = (
    "The original schema forbids properties whose names match a pattern in `patternProperties`, but the schema that is "
    "sent allows them."
)
_TYPE_OF_KEYWORD = {
    **dict.fromkeys(("properties", "required", "additionalProperties", "patternProperties"), "object"),
    **dict.fromkeys(("propertyNames", "minProperties", "maxProperties", "unevaluatedProperties"), "object"),
    **dict.fromkeys(("dependentRequired", "dependentSchemas", "dependencies"), "object"),
    **dict.fromkeys(("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"), "array"),
    "unevaluatedItems": "array",
    **dict.fromkeys(("minLength", "maxLength", "pattern", "contentEncoding", "contentMediaType", "format"), "string"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
}
_ANY_TYPES = ("string", "number", "boolean", "object")


@dataclass(slots=True)
class Compiler:
    """Compiles one schema within limits on its depth and size."""

    reader: Reader
    #: Maximum nesting depth of the compiled schema. The top of the schema has depth 1.
    max_depth: int
    #: Whether `additionalProperties` stays in the compiled schema.
    keep_additional: bool
    #: Array bounds above this number go into the description instead of the schema. `None` keeps all bounds in
    #: the schema.
    most_items: int | None = None
    #: Number of schemas that were compiled so far, including nested schemas and branches of unions.
    built: int = 0
    #: The unions at the top of the schema.
    top_unions: list[SchemaUnion] = field(default_factory=list["SchemaUnion"])
    #: Compiled parts of the schema whose original has no `type`. The key of each part is its own `id()`.
    untyped: dict[int, JsonObject] = field(default_factory=dict[int, "JsonObject"])

    @property
    def is_exhausted(self) -> bool:
        """Whether more parts of the schema were compiled or read than the budget allows.

        From then on, the compiler leaves out nested schemas, such as the properties of an object.
        """
        return max(self.reader.visited, self.built) > self.reader.budget

    def compile(self, path: str, sources: Sequence[Source], depth: int) -> JsonObject:
        """Return one compiled schema for the value at `path`. Each schema in `sources` describes this value."""
        self.built += 1
        node = self.reader.read(path, sources)
        record_unsupported(node, "any")
        at_end = depth >= self.max_depth or self.is_exhausted
        compiled = add_description(node, self._build_leaf(node) if at_end else self._build(node, depth))
        if node.types is None and node.values is None:
            self.untyped[id(compiled)] = compiled
        return compiled

    def _build(self, node: Node, depth: int) -> JsonObject:
        unions = choose_unions(node)
        if unions:
            return self._distribute_union(node, unions, depth)
        if _takes_only_null(node):
            return _build_null(node)
        branches = build_values(node, node.types)
        if not branches:
            branches = [self._build_typed(node, name, depth) for name in _types(node)]
        if not branches:
            return self._build_any(node, depth)
        self.built += len(branches) - 1
        return build_union(branches)[0]

    def _build_typed(self, node: Node, name: str, depth: int) -> JsonObject:
        if name == "object":
            return self._build_object(node, depth)
        if name == "array":
            return self._build_array(node, depth)
        if name == "string":
            return build_string(node)
        return {"type": name} if name == "boolean" else build_number(node, name)

    def _build_any(self, node: Node, depth: int) -> JsonObject:
        if depth == 1:
            reason = "The original schema allows any value, but the schema that is sent allows only objects."
            node.record_loss(node.path, "type", reason)
            return {"type": "object"}
        self.built += len(_ANY_TYPES)
        node.null = node.null is not False
        reason = "The original schema allows any item, but the schema that is sent does not allow arrays as items."
        node.record_loss(node.path, "type", reason)
        return {"anyOf": [{"type": name} for name in _ANY_TYPES]}

    def _build_leaf(self, node: Node) -> JsonObject:
        """Compile a schema without its nested schemas, because the limit of depth or size is reached."""
        types = _types(node)
        if not node.unions:
            if _takes_only_null(node):
                return _build_null(node)
            branches = build_values(node, node.types)
            if len(branches) == 1:
                return branches[0]
            if len(types) == 1 and types[0] not in ("object", "array"):
                return self._build_typed(node, types[0], self.max_depth)
        if types == ["object"]:
            if node.properties or node.unions or node.checks or node.required or node.values is not None:
                words = f"Members: {', '.join(node.properties)}." if node.properties else ""
                node.record_place_loss("properties", _TOO_DEEP, words)
            return {"type": "object"}
        node.record_place_loss("type", _TOO_DEEP, "Give the value as JSON text.")
        return {"type": "string"}

    def _distribute_union(self, node: Node, unions: list[SchemaUnion], depth: int) -> JsonObject:
        """Compile a union. The keywords beside the union are repeated in each branch."""
        first, *others = unions
        if depth == 1:
            self.top_unions = unions
        rest = [replace(union.source, schema=_without_siblings(union)) for union in others]
        branches = [
            self.compile(branch.path, [*node.assertions, branch, *tags, *rest], depth + 1)
            for branch, tags in zip(first.branches, first.tags, strict=True)
        ]
        if first.keyword == "oneOf" and not is_disjoint_union(first, branches, self.untyped):
            node.record_loss(f"{first.source.path}/oneOf", "oneOf", ONE_OF)
        body, nullable = build_union(branches)
        with_null = all(union.with_null for union in unions)
        node.null = node.null is not False and (node.flagged_nullable or with_null or nullable)
        return body

    def _build_object(self, node: Node, depth: int) -> JsonObject:
        record_unsupported(node, "object")
        self._read_property_names(node)
        properties: JsonObject = {}
        for name, sources in node.properties.items():
            if not name:
                reason = "Google refuses properties with an empty name, so this property is not sent."
                for source in sources:
                    node.record_loss(source.path, "properties", reason)
            elif not any(is_false_schema(source.schema) for source in sources):
                properties[name] = self.compile(sources[0].path, sources, depth + 1)
        required: list[JsonValue] = []
        for name, paths in node.required.items():
            if name in properties:
                required.append(name)
                continue
            reason = (
                f"The original schema requires the property {name!r}, but the schema that is sent does not contain it."
            )
            for path in paths:
                node.record_loss(path, path.rpartition("/")[2], reason)
        built: JsonObject = {"type": "object"}
        if properties:
            built["properties"] = properties
        if required:
            built["required"] = required
        return {**built, **self._build_additional(node, depth, empty=not properties)}

    def _read_property_names(self, node: Node) -> None:
        """Turn a short list of names in `propertyNames` into `properties`; record other rules about names as lost."""
        values = [check for check in node.take_checks("additionalProperties") if isinstance(check.value, dict)]
        for check in node.take_checks("propertyNames"):
            rule = self._resolve_rule(check.value)
            names = [name for name in enum_values(rule) or [] if isinstance(name, str)]
            exact = set(rule) <= {"enum", "const", "type", "title", "description"}
            if names and exact and values and not node.properties and len(names) <= _MAX_NAMES:
                source = Source(values[0].value, values[0].path, values[0].enclosing)
                node.properties = {name: [source] for name in names}
                node.checks = [kept for kept in node.checks if kept is not values[0]]
            elif set(rule) - {"type", "title", "description"} or check.value is False:
                words = f"Names must match {rule['pattern']}." if "pattern" in rule else ""
                node.record_loss(check.path, "propertyNames", "`propertyNames` is not checked.", words)

    def _resolve_rule(self, rule: JsonValue) -> JsonObject:
        if not isinstance(rule, dict):
            return {}
        found = resolve_pointer(self.reader.root, rule.get("$ref"))
        return found[1] if found is not None and isinstance(found[1], dict) else rule

    def _build_additional(self, node: Node, depth: int, *, empty: bool) -> JsonObject:
        checks = [*node.take_checks("additionalProperties"), *node.take_checks("unevaluatedProperties")]
        closed = any(is_false_schema(check.value) for check in checks)
        described = next((check for check in checks if isinstance(check.value, dict) and check.value), None)
        record_additional_losses(node, checks, described, closed=closed)
        patterns = self._describe_patterns(node, depth, closed=closed)
        if self.keep_additional:
            if patterns:
                return {"additionalProperties": patterns[0] if len(patterns) == 1 and closed else True}
            if described is not None and not closed:
                return {"additionalProperties": self._compile_check(described, depth)}
            return {"additionalProperties": not closed} if checks else {}
        if described is not None and not closed:
            start = "Maps any name to" if empty and not patterns else "Other names may map to"
            form = describe_map_values(node, start, self._compile_check(described, depth))
            reason = f"Properties that only `{described.keyword}` describes are not checked. {form}"
            node.record_loss(described.path, described.keyword, reason)
        elif empty and closed and depth > 1 and not patterns:
            reason = "The original schema allows no properties, but the schema that is sent allows any."
            for check in checks:
                node.record_loss(check.path, check.keyword, reason, "Has no members.")
        elif empty and (depth > 1 or checks) and not closed and not patterns:
            reason = "The schema that is sent describes no properties of this object, so it allows any."
            node.record_loss(node.path, "properties", reason, "Maps any name to any value." if checks else "")
        return {}

    def _describe_patterns(self, node: Node, depth: int, *, closed: bool) -> list[JsonObject]:
        """Describe `patternProperties` in words, and return the compiled schemas of their values.

        `closed` tells whether the object may have only the properties that its schema names.
        """
        found: list[JsonObject] = []
        for check in node.take_checks("patternProperties"):
            for pattern, value in check.value.items() if isinstance(check.value, dict) else ():
                if is_false_schema(value):
                    if not closed:
                        node.record_loss(check.path, check.keyword, _FORBIDDEN, f"No name may match {pattern}.")
                    continue
                path = f"{check.path}/{escape(pattern)}"
                found.append(self.compile(path, [Source(value, path, check.enclosing)], depth + 1))
                form = describe_map_values(node, f"Names that match {pattern} map to", found[-1])
                reason = f"Properties whose names match a pattern in `patternProperties` are not checked. {form}"
                node.record_loss(check.path, check.keyword, reason)
        return found

    def _compile_check(self, check: Check, depth: int) -> JsonObject:
        return self.compile(check.path, [Source(check.value, check.path, check.enclosing)], depth + 1)

    def _build_array(self, node: Node, depth: int) -> JsonObject:
        record_unsupported(node, "array")
        counts = build_counts(node, "minItems", "maxItems")
        highest = counts.get("maxItems")
        if node.max_tuple is not None:
            counts["maxItems"] = min(node.max_tuple, highest) if isinstance(highest, int) else node.max_tuple
        counts = self._limit_counts(node, counts)
        if node.prefix:
            if (
                node.max_tuple is None
                and not node.items
                and not (isinstance(highest, int) and highest <= len(node.prefix))
            ):
                where = node.prefix[0].path.split("/")[-2]
                reason = (
                    f"The original schema allows any value after the items that `{where}` describes, but the schema "
                    "that is sent allows only the types of these items."
                )
                node.record_loss(f"{node.path}/items", "items", reason)
            return {"type": "array", "items": self._build_tuple(node, depth + 1), **counts}
        path = node.items[0].path if node.items else f"{node.path}/items"
        return {"type": "array", "items": self.compile(path, node.items, depth + 1), **counts}

    def _limit_counts(self, node: Node, counts: JsonObject) -> JsonObject:
        """Return the `minItems` and `maxItems` that Gemini accepts. Move higher values into the description."""
        kept: JsonObject = {}
        for keyword, bound in counts.items():
            if self.most_items is None or not isinstance(bound, int) or bound <= self.most_items:
                kept[keyword] = bound
                continue
            paths = [check.path for check in node.take_checks(keyword)] or [f"{node.path}/{keyword}"]
            words = "At most" if keyword == "maxItems" else "At least"
            for path in paths:
                reason = (
                    f"`{keyword}` is not checked, because the array bounds of the request are too high for Gemini. "
                    f"The bound {bound} is in the description and not in the schema."
                )
                node.record_loss(path, keyword, reason)
            node.add_sentence(f"{words} {bound} items.")
        return kept

    def _build_tuple(self, node: Node, depth: int) -> JsonObject:
        """Return one schema for all items of a tuple: a union of the types of its items."""
        inner = min(depth + 1, self.max_depth)
        parts = [self.compile(part.path, [part], inner) for part in node.prefix]
        words = ", ".join(str(part.get("type", "one of several types")) for part in parts)
        if node.items:
            parts.append(self.compile(node.items[0].path, node.items, inner))
        self.built += 1
        body, nullable = build_union(parts)
        text = body.get("description")
        if "anyOf" in body:
            reason = "The types of the items are checked, but not their order."
            for path in dict.fromkeys(part.path.rpartition("/")[0] for part in node.prefix):
                node.record_loss(path, path.rpartition("/")[2], reason)
            for source in node.items:
                node.record_loss(source.path, source.path.rpartition("/")[2], reason)
            node.add_sentence(f"Items in order: {words}.")
            if depth >= self.max_depth:
                return {"type": "string"}
        return order_keywords(body, text if isinstance(text, str) else "", nullable=nullable)


def record_additional_losses(node: Node, checks: Sequence[Check], described: Check | None, *, closed: bool) -> None:
    """Add each `additionalProperties` or `unevaluatedProperties` that cannot be compiled to the list of lost rules.

    Several schemas may describe one object. Each of these keywords refers only to the properties of its own schema.
    """
    for check in checks:
        if not isinstance(check.value, (bool, dict)) or check.value is True or check.value == {}:
            continue
        if (closed or check is not described) and not is_false_schema(check.value):
            reason = f"Properties that only `{check.keyword}` describes are not checked."
            node.record_loss(check.path, check.keyword, reason)
        place = check.path.rpartition("/")[0]
        inside = f"{place}/properties/" if check.keyword == "additionalProperties" else f"{place}/"
        named = (any(source.path.startswith(inside) for source in sources) for sources in node.properties.values())
        if not all(named) and (check.keyword == "additionalProperties" or node.paths != [place]):
            reason = (
                f"`{check.keyword}` is not checked for properties that are described in another schema for the same "
                "object, such as an entry of `allOf`."
            )
            node.record_loss(check.path, check.keyword, reason)


def _without_siblings(union: SchemaUnion) -> JsonObject:
    """Return a schema with only the union and, if present, the union's `discriminator`."""
    schema = union.source.schema if isinstance(union.source.schema, dict) else {}
    beside: JsonObject = {"discriminator": schema["discriminator"]} if "discriminator" in schema else {}
    return {union.keyword: union.value, **beside}


def _types(node: Node) -> list[str]:
    """Return the types other than null. Without `type`, infer the type from the first keyword that implies a type."""
    if node.types is not None:
        return node.types
    for source in node.assertions:
        schema = source.schema if isinstance(source.schema, dict) else {}
        for keyword, value in schema.items():
            if keyword == "format" and value in NUMBER_FORMATS:
                return ["number"]
            if keyword in _TYPE_OF_KEYWORD:
                return [_TYPE_OF_KEYWORD[keyword]]
    return []


def _takes_only_null(node: Node) -> bool:
    """Return whether null is the only value that the schema of `node` allows."""
    return node.types == [] or (node.values is not None and all(value is None for value in node.values))


def _build_null(node: Node) -> JsonObject:
    node.null = True
    reason = "The original schema allows only null. The schema that is sent also allows a string."
    node.record_place_loss("type", reason, "Always null.")
    return {"type": "string"}

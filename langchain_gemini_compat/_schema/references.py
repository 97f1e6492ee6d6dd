"""Reads all schemas that describe one value into a `Node`: resolves references, expands `allOf`, and collects unions.

The position of the value is called a *place*, and the schemas are called its *sources* (see `node`). Two limits make
sure that reading ends: how often a definition is expanded inside itself, and how many schemas are expanded in total.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from langchain_gemini_compat._schema.node import (
    ONE_OF,
    REFERENCES,
    Loss,
    Node,
    SchemaUnion,
    Source,
    escape,
    is_false_schema,
    is_null_only,
)
from langchain_gemini_compat._wire.json_types import list_at, object_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

_COMBINED = ("allOf", "anyOf", "oneOf")
_SHALLOW = ("type", "enum", "const", "nullable")
_ENDED = "The recursive definition is not expanded further, so deeper levels are not checked."
_SAME_FORM = "Same form as the levels above."
_FALSE = "The original schema allows no value here (`false`), but the schema that is sent does."
_NOT_A_SCHEMA = "The original schema has a value here that is not a schema. This value is ignored."
_SELECTED = "It is not checked that a value matches the schema that `discriminator` selects."


@dataclass(slots=True)
class Reader:
    """Reads each place of one JSON Schema into a `Node`. A place is a position that describes one value."""

    root: JsonValue
    #: Maximum number of times that a definition is expanded inside itself, including the first expansion.
    max_nesting: int
    #: Maximum number of schemas that are expanded. In all further schemas, references, `allOf` and unions are ignored.
    budget: int
    losses: list[Loss]
    #: Number of schemas that were read so far.
    visited: int = 0
    #: The JSON pointers of the schemas that were read through a `$ref` or a similar keyword.
    targets: set[str] = field(default_factory=set[str])
    #: Whether the compiler has used a keyword such as `minLength`, by the JSON pointer of the keyword. Unused keywords
    #: are reported as losses.
    checks_read: dict[str, bool] = field(default_factory=dict[str, bool])

    def read(self, path: str, sources: Sequence[Source]) -> Node:
        """Return a node with all rules for the value at `path`. `sources` are the schemas that describe this value."""
        node = Node(path, self.losses, self.checks_read, [source.path for source in sources])
        resolved: set[str] = set()
        queue = deque(sources)
        while queue:
            source = queue.popleft()
            self.visited += 1
            schema = source.schema
            if isinstance(schema, dict):
                node.add(source, schema)
                if self.visited <= self.budget:
                    queue.extendleft(reversed(self._expand(source, schema, node, resolved)))
                else:
                    _leave_unread(source, schema, node)
            elif schema is not True:
                node.record_loss(source.path, "schema", _FALSE if schema is False else _NOT_A_SCHEMA)
        if not node.null_is_exclusive:
            for union in dict.fromkeys(node.null_unions):
                node.record_loss(union, "oneOf", ONE_OF)
        return node

    def _expand(self, source: Source, schema: JsonObject, node: Node, resolved: set[str]) -> list[Source]:
        """Return the schemas that `schema` adds through `$ref`, `allOf` and similar keywords.

        A union with several branches is added to `node.unions` instead.
        """
        added: list[Source] = []
        for keyword in REFERENCES:
            if keyword in schema:
                added.extend(self._resolve(source, keyword, schema[keyword], resolved))
        parts = schema.get("allOf")
        if isinstance(parts, list):
            added.extend(source.child(part, "allOf", index) for index, part in enumerate(parts))
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                added.extend(self._expand_union(source, keyword, schema[keyword], node))
        if "discriminator" in schema:
            self._check_discriminator(source, schema, node)
        return [replace(new, nullable_union=new.nullable_union or source.nullable_union) for new in added]

    def _resolve(self, source: Source, keyword: str, reference: JsonValue, resolved: set[str]) -> list[Source]:
        found = resolve_pointer(self.root, reference)
        if found is None:
            reason = f"The target {reference!r} was not found in the original schema, so `{keyword}` is ignored."
            self.losses.append(Loss(f"{source.path}/{keyword}", keyword, reason))
            return []
        pointer, target = found
        self.targets.add(pointer)
        if pointer in resolved:
            return []
        resolved.add(pointer)
        if source.enclosing.count(pointer) >= self.max_nesting:
            self.losses.append(Loss(f"{source.path}/{keyword}", keyword, _ENDED))
            return [Source(_build_shallow(target), pointer, source.enclosing)]
        return [Source(target, pointer, (*source.enclosing, pointer))]

    def _expand_union(self, source: Source, keyword: str, branches: JsonValue, node: Node) -> list[Source]:
        """Return the schemas of a union's only branch besides null.

        If there are several such branches, add the union to `node.unions` and return an empty list.
        """
        if not isinstance(branches, list) or not branches:
            reason = f"`{keyword}` is not a list with at least one schema, so it is not sent."
            node.record_loss(f"{source.path}/{keyword}", keyword, reason)
            return []
        with_null = any(is_null_only(part) for part in branches)
        parts = [source.child(part, keyword, index) for index, part in enumerate(branches) if not is_null_only(part)]
        live = [part for part in parts if not is_false_schema(part.schema)]
        if not live:
            return [source.child(next(filter(is_null_only, branches), branches[0]), keyword, 0)]
        tags = [self._read_discriminator(source, part) for part in live]
        if len(live) == 1:
            only = replace(live[0], nullable_union=f"{source.path}/{keyword}" if with_null else "")
            return [only, *tags[0]]
        with_null = with_null or bool(source.nullable_union)
        node.unions.append(SchemaUnion(keyword, branches, source, live, with_null, tags))
        return []

    def _read_discriminator(self, source: Source, branch: Source) -> list[Source]:
        """Return the schema that OpenAPI's `discriminator` adds to `branch`: the property values that select it.

        The schema is the only entry of the list. The list is empty if the `discriminator` adds nothing.
        """
        name, mapping = _discriminator_of(source.schema)
        target = resolve_pointer(self.root, branch.schema.get("$ref")) if isinstance(branch.schema, dict) else None
        if not name or target is None:
            return []
        values: list[JsonValue] = [value for value, to in mapping.items() if self._maps_to(to, target[0])]
        inner = object_at(object_at(target[1], "properties"), name) if isinstance(target[1], dict) else {}
        if not values and not mapping and not {"const", "enum"} & set(inner):
            # In OpenAPI, the value that selects a branch is the name of the branch's schema if there is no `mapping`.
            values = [target[0].rpartition("/")[2]]
        if not values or "const" in inner:
            return []
        tag: JsonObject = {"properties": {name: {"type": "string", "enum": values}}, "required": [name]}
        return [Source(tag, branch.path, branch.enclosing)]

    def _maps_to(self, to: JsonValue, pointer: str) -> bool:
        found = resolve_pointer(self.root, to)
        return found[0] == pointer if found is not None else to == pointer.rpartition("/")[2]

    def _check_discriminator(self, source: Source, schema: JsonObject, node: Node) -> None:
        """Add a `Loss` if the `discriminator` of `schema` has no `propertyName` or does not match the branches."""
        name, mapping = _discriminator_of(schema)
        path = f"{source.path}/discriminator"
        branches = [part for keyword in ("anyOf", "oneOf") for part in list_at(schema, keyword)]
        references = [part.get("$ref") for part in branches if isinstance(part, dict)]
        pointers = [found[0] for reference in references if (found := resolve_pointer(self.root, reference))]
        left = [value for value, to in mapping.items() if not any(self._maps_to(to, pointer) for pointer in pointers)]
        if not name:
            reason = "`propertyName` of `discriminator` is missing or not a string, so `discriminator` is ignored."
            node.record_loss(path, "discriminator", reason)
        elif left:
            node.record_loss(f"{path}/mapping", "mapping", _SELECTED, f"Values of {name}: {', '.join(left)}.")
        elif not branches:
            node.record_loss(path, "discriminator", _SELECTED, f"Form depends on {name}.")


def _discriminator_of(schema: JsonValue) -> tuple[str, JsonObject]:
    """Return the property and the mapping of OpenAPI's `discriminator`."""
    found = object_at(schema, "discriminator") if isinstance(schema, dict) else {}
    name = found.get("propertyName")
    return name if isinstance(name, str) else "", object_at(found, "mapping")


def resolve_pointer(root: JsonValue, reference: JsonValue) -> tuple[str, JsonValue] | None:
    """Return the JSON pointer in `reference`, and its target in `root`; `None` if there is no target.

    URL escapes in the pointer are decoded.
    """
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    text = unquote(reference[1:])
    if text and not text.startswith("/"):
        return None
    steps = [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]
    value = root
    for step in steps:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step[:9]) < len(value):
            value = value[int(step[:9])]
        else:
            return None
    return "".join(f"/{escape(step)}" for step in steps), value


def _build_shallow(target: JsonValue) -> JsonObject:
    """Return a short form of a definition, without the keywords that contain schemas."""
    if not isinstance(target, dict):
        return {}
    shallow: JsonObject = {key: target[key] for key in _SHALLOW if key in target}
    if "type" not in shallow and "properties" in target:
        shallow["type"] = "object"
    text = target.get("description")
    shallow["description"] = f"{text.strip()} {_SAME_FORM}" if isinstance(text, str) else _SAME_FORM
    return shallow


def _leave_unread(source: Source, schema: JsonObject, node: Node) -> None:
    for keyword in (*REFERENCES, *_COMBINED):
        if keyword in schema:
            reason = f"The original schema is too large, so this `{keyword}` is ignored."
            node.record_loss(f"{source.path}/{keyword}", keyword, reason)

"""JSON Schema, as pydantic, MCP servers and people write it, to the subset that Gemini takes; losses are listed.

Its one rule: the result is never stricter than the original in what it forbids without saying so, and every place
where it checks less is a `Loss`. Sources: Google's reference of the Schema object, and refusals of keywords in
public issues (`$ref`, `const`, `additionalProperties`, `type` lists, fields beside `anyOf`, empty objects).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

if TYPE_CHECKING:
    from langchain_gemini_compat._wire import JsonObject, JsonValue

MAX_DEPTH = 24
MAX_NODES = 10_000
_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean"})
#: Keywords that survive as they are, by the type they belong to.
_KEPT = {
    "string": ("minLength", "maxLength", "pattern"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
}
_FORMATS = {
    "string": ("date-time", "enum"),
    "integer": ("int32", "int64"),
    "number": ("float", "double"),
}
#: Dropped without a word: they check nothing.
_SILENT = frozenset(
    {
        "$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "title", "examples", "example", "deprecated",
        "readOnly", "writeOnly", "$ref", "nullable", "type", "description", "default", "properties", "required",
        "items", "enum", "const", "anyOf", "oneOf", "allOf", "format", "additionalProperties",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing the server no longer checks; `path` is a JSON pointer into the original schema."""

    path: str
    keyword: str
    reason: str


def compile_parameters(schema: JsonObject) -> tuple[JsonObject | None, list[Loss]]:
    """Function parameters; `None` for a tool without arguments, since Gemini refuses an empty object.

    >>> compile_parameters({"type": "object", "properties": {"n": {"type": ["integer", "null"]}}})[0]
    {'type': 'object', 'properties': {'n': {'type': 'integer', 'nullable': True}}}
    """
    compiler = _Compiler(schema)
    compiled = compiler.compile(schema, "", 0)
    if compiled.get("type") != "object" or not compiled.get("properties"):
        return None, compiler.losses
    compiled.pop("nullable", None)
    return compiled, compiler.losses


def compile_response_schema(schema: JsonObject) -> tuple[JsonObject, list[Loss]]:
    """A response schema: the same subset; an object without properties stays one."""
    compiler = _Compiler(schema)
    return compiler.compile(schema, "", 0), compiler.losses


@dataclass(slots=True)
class _Compiler:
    root: JsonObject
    losses: list[Loss] = field(default_factory=list)
    nodes: int = 0
    #: References on the way down to here: meeting one again is recursion.
    open_refs: list[str] = field(default_factory=list)

    def compile(self, schema: JsonValue, path: str, depth: int) -> JsonObject:
        self.nodes += 1
        if not isinstance(schema, dict):
            if schema is not True:
                self.lose(path, "false", "this place forbids every value, which cannot be said")
            return {"type": "string", "description": "Any value, as JSON."}
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            self.lose(path, "depth", "the schema is too deep or too large from here on")
            return {"type": "string", "description": "A value as JSON."}
        ref = schema.get("$ref")
        if isinstance(ref, str):
            return self.compile_ref(ref, schema, path, depth)
        if isinstance(schema.get("allOf"), list):
            schema = self.merge_all_of(schema, path)
            return self.compile(schema, path, depth)
        branches = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(branches, list) and branches:
            return self.compile_union(schema, branches, path, depth)
        return self.compile_plain(schema, path, depth)

    def compile_ref(self, ref: str, schema: JsonObject, path: str, depth: int) -> JsonObject:
        if ref in self.open_refs:
            self.lose(path, "$ref", f"recursion into {ref} ends here")
            return _described({"type": "string"}, schema, f"Recursive {ref.rpartition('/')[2]}, as JSON.")
        target = self.resolve(ref)
        if target is None:
            self.lose(path, "$ref", f"{ref} cannot be found")
            return _described({"type": "string"}, schema, "A value as JSON.")
        self.open_refs.append(ref)
        siblings = {key: value for key, value in schema.items() if key != "$ref"}
        compiled = self.compile({**target, **siblings} if siblings else target, path, depth)
        self.open_refs.pop()
        return compiled

    def resolve(self, ref: str) -> JsonObject | None:
        node: JsonValue = self.root
        for token in ref.removeprefix("#").strip("/").split("/") if ref not in ("#", "#/") else ():
            key = unquote(token).replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict):
                node = node.get(key)
            else:
                node = node[int(key)] if isinstance(node, list) and key.isdigit() and int(key) < len(node) else None
        return node if isinstance(node, dict) else None

    def merge_all_of(self, schema: JsonObject, path: str) -> JsonObject:
        """Objects are joined; where two say different things of one keyword the last one is kept."""
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for part in cast("list[JsonValue]", schema["allOf"]):
            if not isinstance(part, dict):
                continue
            ref = part.get("$ref")
            target = self.resolve(ref) if isinstance(ref, str) and ref not in self.open_refs else None
            for key, value in ({**target, **part} if target else part).items():
                if key == "$ref" and target:
                    continue
                merged[key] = self.join(key, merged.get(key), value, path)
        return merged

    def join(self, key: str, old: JsonValue, new: JsonValue, path: str) -> JsonValue:
        if key in ("properties", "$defs") and isinstance(old, dict) and isinstance(new, dict):
            return {**old, **new}
        if key in ("required", "allOf") and isinstance(old, list) and isinstance(new, list):
            return [*old, *(item for item in new if item not in old)]
        if old is not None and old != new and key not in ("description", "title"):
            self.lose(path, f"allOf/{key}", "of several conditions on one keyword only the last is checked")
        return new

    def compile_union(self, schema: JsonObject, branches: list[JsonValue], path: str, depth: int) -> JsonObject:
        """`anyOf`; a `null` branch becomes `nullable`, a single branch that is left takes the union's place."""
        key = "anyOf" if schema.get("anyOf") else "oneOf"
        real = [(n, branch) for n, branch in enumerate(branches) if not _is_null(branch)]
        nullable = len(real) < len(branches) or schema.get("nullable") is True
        shared = {k: v for k, v in schema.items() if k not in ("anyOf", "oneOf", "$defs", "definitions", "nullable")}
        compiled: list[JsonObject] = []
        for number, branch in real:
            joined = {**shared, **branch} if isinstance(branch, dict) and len(real) == 1 else branch
            item = self.compile(_with_shared(joined, shared), f"{path}/{key}/{number}", depth + 1)
            if item not in compiled:
                compiled.append(item)
        if not compiled:
            return _described({"type": "string", "nullable": True}, schema, "Always null.")
        if key == "oneOf" and len(compiled) > 1:
            self.lose(path, "oneOf", "more than one branch may match")
        result: JsonObject = compiled[0] if len(compiled) == 1 else {"anyOf": [*compiled]}
        if nullable or any(item.get("nullable") for item in compiled):
            result["nullable"] = True
        return _described(result, schema) if len(compiled) > 1 else result

    def compile_plain(self, schema: JsonObject, path: str, depth: int) -> JsonObject:
        types, nullable = _types_of(schema)
        if len(types) > 1:
            branches: list[JsonValue] = [{**schema, "type": kind} for kind in types]
            return self.compile({"anyOf": branches, "nullable": nullable, **_only_description(schema)}, path, depth)
        kind = types[0]
        result: JsonObject = {"type": kind}
        notes: list[str] = []
        self.compile_enum(schema, kind, result, path, notes)
        if kind == "object" and "enum" not in result:
            self.compile_object(schema, result, path, depth, notes)
        elif kind == "array":
            self.compile_array(schema, result, path, depth, notes)
        self.compile_limits(schema, str(result["type"]), result, path, notes)
        if nullable:
            result["nullable"] = True
        return _described(result, schema, *notes)

    def compile_enum(self, schema: JsonObject, kind: str, result: JsonObject, path: str, notes: list[str]) -> None:
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if not isinstance(values, list) or not values:
            return
        strings = [value for value in values if isinstance(value, str)]
        if kind == "string" and strings:
            result["enum"] = [*strings]
            return
        notes.append(f"One of: {', '.join(map(str, values))}.")
        self.lose(path, "enum", "only strings can be listed, so these values are described in words")

    def compile_object(self, schema: JsonObject, result: JsonObject, path: str, depth: int, notes: list[str]) -> None:
        properties = schema.get("properties")
        compiled: JsonObject = {}
        if isinstance(properties, dict):
            for name, value in properties.items():
                compiled[name] = self.compile(value, f"{path}/properties/{_escape(name)}", depth + 1)
        if compiled:
            result["properties"] = compiled
        required = schema.get("required")
        if isinstance(required, list):
            known = [name for name in dict.fromkeys(map(str, required)) if name in compiled]
            if known:
                result["required"] = [*known]
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict) and extra:
            notes.append(f"Further keys may be given; each value is of type {_type_words(extra)}.")
            self.lose(path, "additionalProperties", "values under free keys are not checked")
        elif extra is False and compiled:
            self.lose(path, "additionalProperties", "unknown keys are not refused")

    def compile_array(self, schema: JsonObject, result: JsonObject, path: str, depth: int, notes: list[str]) -> None:
        items = schema.get("items")
        prefix = schema.get("prefixItems") or (items if isinstance(items, list) else None)
        if isinstance(prefix, list) and prefix:
            notes.append(f"In this order: {', '.join(map(_type_words, prefix))}.")
            self.lose(path, "prefixItems", "the order of types is not checked")
            result["items"] = self.compile({"anyOf": prefix}, f"{path}/prefixItems", depth + 1)
        else:
            result["items"] = self.compile(
                items if isinstance(items, dict) and items else {"type": "string"}, f"{path}/items", depth + 1
            )

    def compile_limits(self, schema: JsonObject, kind: str, result: JsonObject, path: str, notes: list[str]) -> None:
        for key, value in schema.items():
            if key in _KEPT.get(kind, ()) and "enum" not in result:
                result[key] = value
            elif key in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(value, int) and kind == "integer":
                if not isinstance(value, bool):
                    minimum = key == "exclusiveMinimum"
                    result["minimum" if minimum else "maximum"] = value + (1 if minimum else -1)
            elif key not in _SILENT and not key.startswith("x-"):
                notes.append(f"{key}: {value}." if not isinstance(value, (dict, list)) else "")
                self.lose(path, key, f"`{key}` is not checked")
        wanted = schema.get("format")
        if isinstance(wanted, str) and wanted in _FORMATS.get(kind, ()):
            result["format"] = wanted
        elif isinstance(wanted, str):
            notes.append(f"Format: {wanted}.")
            self.lose(f"{path}/format", "format", f"the format {wanted} is not checked")
        if schema.get("default") is not None:
            notes.append(f"Default: {schema['default']}.")

    def lose(self, path: str, keyword: str, reason: str) -> None:
        self.losses.append(Loss(path, keyword, reason))


def _is_null(branch: JsonValue) -> bool:
    if not isinstance(branch, dict):
        return False
    says_null = branch.get("type") == "null" or branch.get("enum") == [None]
    return says_null or ("const" in branch and branch["const"] is None)


def _types_of(schema: JsonObject) -> tuple[list[str], bool]:
    """The types a schema allows, guessed from its keywords where it names none, and whether null is one of them."""
    given = schema.get("type")
    names = [name.lower() for name in (given if isinstance(given, list) else [given]) if isinstance(name, str)]
    nullable = "null" in names or schema.get("nullable") is True
    types = [name for name in names if name in _TYPES]
    if types:
        return types, nullable
    values = schema.get("enum") if isinstance(schema.get("enum"), list) else [schema.get("const")]
    first = next((value for value in cast("list[JsonValue]", values) if value is not None), None)
    if isinstance(first, bool):
        return ["boolean"], nullable
    if isinstance(first, (int, float)):
        return ["integer" if isinstance(first, int) else "number"], nullable
    if "properties" in schema or "additionalProperties" in schema or "required" in schema:
        return ["object"], nullable
    if "items" in schema or "prefixItems" in schema:
        return ["array"], nullable
    return ["string"], nullable


def _type_words(schema: JsonValue) -> str:
    kind = schema.get("type") if isinstance(schema, dict) else None
    return kind if isinstance(kind, str) else "any"


def _with_shared(branch: JsonValue, shared: JsonObject) -> JsonValue:
    """Fields beside a union count for each branch; Gemini takes none there."""
    if not isinstance(branch, dict) or "$ref" in branch:
        return branch
    kept = {key: value for key, value in shared.items() if key not in ("description", "title", "default")}
    return {**kept, **branch}


def _only_description(schema: JsonObject) -> JsonObject:
    return {key: schema[key] for key in ("description", "default") if key in schema}


def _described(result: JsonObject, schema: JsonObject, *notes: str) -> JsonObject:
    words = [schema.get("description"), *notes]
    text = " ".join(word.strip() for word in words if isinstance(word, str) and word.strip())
    if text:
        result["description"] = text
    return result


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")

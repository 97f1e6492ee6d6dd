"""Changes that leave out or adjust an optional part of a request that the server refused.

A change returns a changed copy of the body. It never removes a message, a tool, a result or the format of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, cast

from langchain_gemini_compat._request.thinking import EFFORTS, nearest_effort
from langchain_gemini_compat._wire.json_types import list_at, object_at
from langchain_gemini_compat._wire.notes import Note

if TYPE_CHECKING:
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: The keys that lead to a parameter in the body.
Path: TypeAlias = tuple[str, ...]
#: Maximum number of characters of a server's text in a note.
_LONGEST_WORDS = 300
#: Maximum depth to which a schema is searched for keywords.
_DEEPEST = 64
#: Keywords that contain schemas: as an object of schemas (`SCHEMA_MAPS`), as a list (`_SCHEMA_LISTS`), or as one schema
#: (`_SCHEMAS`).
SCHEMA_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_SCHEMA_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_SCHEMAS = frozenset(
    {
        "items", "additionalProperties", "additionalItems", "contains", "not", "if", "then", "else", "propertyNames",
        "unevaluatedProperties", "unevaluatedItems",
    }
)  # fmt: skip


#: Maps the Python class of a constant to its type in JSON Schema.
_CONSTANT_TYPES: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


class Change(Protocol):
    """A change that leaves out or adjusts an optional part of a request body."""

    @property
    def part(self) -> Path:
        """The identifier of the changed part, usually its path in the body. Each part is changed at most once."""
        ...

    def apply(self, payload: JsonObject) -> tuple[JsonObject, str] | None:
        """Return the changed payload and a description of the change; `None` if there is nothing to change."""
        ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal by a server, and the changes that make the request acceptable."""

    changes: tuple[Change, ...]
    #: The server's sentence that mentions the refused parts.
    words: str
    #: Whether the server refuses these parts only in combination with other parts. If so, later requests are not
    #: changed.
    is_conditional: bool = False

    @property
    def parts(self) -> frozenset[Path]:
        """The identifiers of all parts of the request that the changes affect."""
        return frozenset(change.part for change in self.changes)

    def apply(self, payload: JsonObject) -> tuple[JsonObject, Note] | None:
        """Return the changed payload and a note; `None` if there is nothing to change."""
        done: list[str] = []
        for change in self.changes:
            changed = change.apply(payload)
            if changed is not None:
                payload = changed[0]
                done.append(changed[1])
        if not done:
            return None
        return payload, Note("refused", f"{'; '.join(done)}. The server's reason: {shorten(self.words)}")


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """Leaves a parameter out of a request body."""

    path: Path
    #: The refused value; `None` if the server refuses every value.
    value: str | int | None = None

    @property
    def part(self) -> Path:
        """The path of the parameter in the request body."""
        return self.path

    def apply(self, payload: JsonObject) -> tuple[JsonObject, str] | None:
        """Remove the parameter. Return the new payload and a description; `None` if there is nothing to remove."""
        value = value_at(payload, self.path)
        if value is None or (self.value is not None and _as_word(value) != _as_word(self.value)):
            return None
        return _without(payload, self.path), f"`{'.'.join(self.path)}` was left out"


@dataclass(frozen=True, slots=True)
class FitWord:
    """Replaces a thinking effort or level with the nearest one that the server accepts."""

    path: Path
    words: tuple[str, ...]

    @property
    def part(self) -> Path:
        """The path, in the request body, of the field for the reasoning effort or the thinking level."""
        return self.path

    def apply(self, payload: JsonObject) -> tuple[JsonObject, str] | None:
        """Return the payload with an accepted effort or level."""
        value = value_at(payload, self.path)
        if not isinstance(value, str) or value.lower() in self.words or value.lower() not in EFFORTS:
            return None
        fitted = nearest_effort(value.lower(), self.words)
        return _with(payload, self.path, fitted), f"`{'.'.join(self.path)}` {value!r} became {fitted!r}"


@dataclass(frozen=True, slots=True)
class FitBudget:
    """Replaces a thinking budget with the nearest one that the server accepts."""

    path: Path
    least: int
    most: int

    @property
    def part(self) -> Path:
        """The path, in the request body, of the field for the thinking budget."""
        return self.path

    def apply(self, payload: JsonObject) -> tuple[JsonObject, str] | None:
        """Change the budget to the nearest value that the server accepts, and return the new payload."""
        value = value_at(payload, self.path)
        if not isinstance(value, int) or isinstance(value, bool) or self.least <= value <= self.most:
            return None
        if value < 0:
            # With a negative budget, the model chooses the amount of thinking. A request without a budget has the same
            # effect.
            return _without(payload, self.path), f"`{'.'.join(self.path)}` was left out"
        fitted = min(max(value, self.least), self.most)
        return _with(payload, self.path, fitted), f"`{'.'.join(self.path)}` {value} became {fitted}"


@dataclass(frozen=True, slots=True)
class WrapExtraBody:
    """Nests Google's fields one level deeper, for a gateway that replaces `extra_body` with its content."""

    @property
    def part(self) -> Path:
        """The path, in the request body, of the object that contains Google's fields."""
        return ("extra_body",)

    def apply(self, payload: JsonObject) -> tuple[JsonObject, str] | None:
        """Return the payload with a second `extra_body` around Google's fields; `None` if it has no such fields."""
        fields = object_at(payload, "extra_body")
        if "google" not in fields:
            return None
        wrapped: JsonObject = {"extra_body": fields}
        return {**payload, "extra_body": wrapped}, "`extra_body` was put into another `extra_body`"


@dataclass(frozen=True, slots=True)
class LeaveOutKeyword:
    """Leaves a keyword out of the schemas of the tools or of the answer."""

    keyword: str
    place: Literal["tools", "response_format"]
    #: Values with which the keyword stays in the schema, because the server accepts them.
    accepted: tuple[str, ...] = ()

    @property
    def part(self) -> Path:
        """The identifier of the change: `tools` or `response_format`, then the keyword that is left out."""
        return self.place, self.keyword

    def apply(self, payload: JsonObject) -> tuple[JsonObject, str] | None:
        """Return the payload without the keyword in its schemas."""
        where = "the tools" if self.place == "tools" else "the answer"
        reduced = self._reduce_tools(payload) if self.place == "tools" else self._reduce_format(payload)
        if reduced == payload:
            return None
        return reduced, f"the keyword `{self.keyword}` was left out of the schema of {where}"

    def _reduce_tools(self, payload: JsonObject) -> JsonObject:
        tools: list[JsonValue] = [self._reduce_tool(tool) for tool in list_at(payload, "tools")]
        return {**payload, "tools": tools} if tools else payload

    def _reduce_format(self, payload: JsonObject) -> JsonObject:
        given = object_at(payload, "response_format")
        if not isinstance(given.get("json_schema"), dict):
            return payload
        schema = self._reduce_holder(object_at(given, "json_schema"), "schema")
        return {**payload, "response_format": {**given, "json_schema": schema}}

    def _reduce_tool(self, tool: JsonValue) -> JsonValue:
        if not isinstance(tool, dict) or not isinstance(tool.get("function"), dict):
            return tool
        return {**tool, "function": self._reduce_holder(object_at(tool, "function"), "parameters")}

    def _reduce_holder(self, holder: JsonObject, key: str) -> JsonObject:
        """Return `holder` with the keyword removed from its schema, `holder[key]`.

        `holder` is the declaration of a function, or the `json_schema` object of `response_format`. The keyword
        `strict` is not in the schema, but in `holder` itself.
        """
        if self.keyword == "strict":
            return {name: value for name, value in holder.items() if name != "strict"}
        return {**holder, key: self._reduce(holder[key], _DEEPEST)} if key in holder else holder

    def _reduce(self, schema: JsonValue, depth: int) -> JsonValue:
        if not isinstance(schema, dict) or not depth:
            return schema
        reduced: JsonObject = {}
        for key, value in schema.items():
            if key == self.keyword and value not in self.accepted:
                if key == "const":
                    reduced.update(_describe_constant(value, schema))
            elif key in SCHEMA_MAPS and isinstance(value, dict):
                reduced[key] = {name: self._reduce(inner, depth - 1) for name, inner in value.items()}
            elif key in _SCHEMA_LISTS and isinstance(value, list):
                reduced[key] = [self._reduce(inner, depth - 1) for inner in value]
            else:
                reduced[key] = self._reduce(value, depth - 1) if key in _SCHEMAS else value
        return reduced


def _describe_constant(value: JsonValue, schema: JsonObject) -> JsonObject:
    """Return the keywords that replace `const`: `type` and, for a string, `enum`.

    Gemini accepts only strings in `enum`. Keywords that `schema` already has are left out.
    """
    kind = _CONSTANT_TYPES.get(type(value))
    described: JsonObject = {"type": kind} if kind else {}
    if isinstance(value, str):
        described["enum"] = [value]
    return {key: given for key, given in described.items() if key not in schema}


def value_at(payload: JsonObject, path: Path) -> JsonValue:
    """Return the value at `path`; `None` if `payload` has no such value."""
    found: JsonValue = payload
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    return found


def shorten(words: str) -> str:
    """Return a server's text on one line. A long text is cut off."""
    line = " ".join(words.split())
    return f"{line.rstrip('.')}." if len(line) <= _LONGEST_WORDS else f"{line[:_LONGEST_WORDS]}…"


def _without(payload: JsonObject, path: Path) -> JsonObject:
    """Return a copy without the value at `path`. Objects that become empty are removed, too."""
    head, rest = path[0], path[1:]
    inner = _without(cast("JsonObject", payload[head]), rest) if rest else {}
    if inner:
        return {**payload, head: inner}
    return {key: value for key, value in payload.items() if key != head}


def _with(payload: JsonObject, path: Path, value: JsonValue) -> JsonObject:
    """Return a copy with `value` at `path`."""
    head, rest = path[0], path[1:]
    return {**payload, head: _with(object_at(payload, head), rest, value) if rest else value}


def _as_word(value: JsonValue) -> JsonValue:
    return value.lower() if isinstance(value, str) else value

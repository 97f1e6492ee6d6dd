"""A small checker of the schemas that Gemini takes, written independently of the compiler."""

from __future__ import annotations

from typing import Any

from langchain_gemini_compat._schema.functions import compile_parameters

KEYS = {
    "object": {"properties", "required"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"enum", "format", "minLength", "maxLength"},
    "integer": {"format", "minimum", "maximum"},
    "number": {"format", "minimum", "maximum"},
    "boolean": set(),
}
FORMATS = {"string": {"enum", "date-time"}}
NUMBER_FORMATS = {"int32", "int64", "float", "double"}


def refuse(schema: Any, *, response: bool = False, depth: int = 1) -> str:
    """Return why Gemini would refuse a compiled schema; an empty string if it would not."""
    if not isinstance(schema, dict) or depth > 32:
        return f"no schema, or too deep: {schema!r:.80}"
    extra = {"additionalProperties"} if response else set()
    kind = schema.get("type")
    allowed = {"anyOf"} if "anyOf" in schema else KEYS[kind] | {"type"} | (extra if kind == "object" else set())
    if set(schema) - allowed - {"description", "nullable"}:
        return f"keys {sorted(schema)}"
    if not isinstance(schema.get("description", "x"), str) or schema.get("nullable", True) is not True:
        return f"annotations of {schema!r:.80}"
    reason = refuse_values(schema)
    inner = [*schema.get("anyOf", []), *schema.get("properties", {}).values()]
    inner += [schema["items"]] if kind == "array" else []
    inner += [schema["additionalProperties"]] if isinstance(schema.get("additionalProperties"), dict) else []
    reasons = [reason, *(refuse(part, response=response, depth=depth + 1) for part in inner)]
    return next((text for text in reasons if text), "")


def refuse_values(schema: dict[str, Any]) -> str:
    """Return the keywords of `schema` whose values Gemini would refuse. Inner schemas are not checked."""
    texts = schema.get("enum", ["x"])
    counts = [value for key, value in schema.items() if key.startswith(("minItems", "maxI", "minL", "maxL"))]
    bounds = [schema[key] for key in ("minimum", "maximum") if key in schema]
    checks = {
        "anyOf": len(schema.get("anyOf", [1, 2])) > 1,
        "properties": schema.get("properties", True) and "" not in schema.get("properties", {}),
        "required": set(schema.get("required", [])) <= set(schema.get("properties", {})),
        "enum": texts and all(isinstance(text, str) and text for text in texts) and len(set(texts)) == len(texts),
        "count": all(type(count) is int and count >= 0 for count in counts),
        "bound": all(type(bound) in (int, float) and abs(bound) != float("inf") for bound in bounds),
        "format": schema.get("format", "int32" if schema.get("type") != "string" else "enum")
        in FORMATS.get(schema.get("type", ""), NUMBER_FORMATS),
    }
    return ", ".join(name for name, holds in checks.items() if not holds)


def compile_property(schema: Any, **root: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the compiled schema of a property, and the path and keyword of each lost rule."""
    compiled, losses = compile_parameters({"type": "object", "properties": {"p": schema}, **root})
    assert compiled is not None
    assert refuse(compiled) == ""
    return compiled["properties"]["p"], [(loss.path, loss.keyword) for loss in losses]

"""A function that answers for the fake endpoint in langchain-tests. It calls tools, and its JSON fits the schema."""

import json
import re

from langchain_gemini_compat.testing import Call, Reply

#: Maps the name of an argument to the value that langchain-tests expects for it.
KNOWN = {"input": 3, "x": 3, "location": "San Francisco, CA", "city": "San Francisco"}


def answer(request):
    """Return a call if tools are bound and the user spoke last, JSON if a schema is given, and else text."""
    body = request.body
    prompt = request.prompt
    last = body["messages"][-1]
    if body.get("tools") and last["role"] == "user" and body.get("tool_choice") != "none":
        function = body["tools"][0]["function"]
        return Reply(calls=[Call(function["name"], example(function.get("parameters") or {}, prompt))])
    form = body.get("response_format")
    if form:
        schema = form.get("json_schema", {}).get("schema") or JOKE
        return Reply(text=json.dumps(example(schema, prompt)))
    return Reply(text=f"This is the answer to: {prompt[:50] or 'your tools'}")


JOKE = {"type": "object", "properties": {"setup": {"type": "string"}, "punchline": {"type": "string"}}}


def example(schema, prompt, name=""):
    """Return a value that satisfies `schema`."""
    if schema.get("anyOf"):
        return example(schema["anyOf"][0], prompt, name)
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        return {key: example(value, prompt, key) for key, value in schema.get("properties", {}).items()}
    if name in KNOWN and kind in ("integer", "string"):
        return KNOWN[name] if isinstance(KNOWN[name], int) == (kind == "integer") else 3
    if kind == "array":
        return [example(schema["items"], prompt)]
    if kind in ("integer", "number"):
        return 3
    if kind == "boolean":
        return True
    quoted = re.search(r"'([^']+)'", prompt)
    return quoted[1] if quoted else "word"

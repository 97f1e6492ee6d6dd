"""Chains of `with_structured_output` whose model answers with a given value."""

import json

from wire import Wire, call, chunk, completion

from langchain_gemini_compat import ChatGeminiCompat


def build_chain(schema, name, value, method, *, streamed=False, **kwargs):
    """Return a chain and its server, which answers with `value`, whole or in two pieces.

    `name` is the name of the function that the model calls with `method="function_calling"`.
    """
    text = json.dumps(value)
    pieces = [text[: len(text) // 2], text[len(text) // 2 :]]
    if method == "function_calling":
        later = {"index": 0, "function": {"arguments": pieces[1]}}
        parts = [chunk(tool_calls=[call(name, pieces[0])]), chunk(tool_calls=[later])]
        whole = completion(None, tool_calls=[call(name, text)])
    else:
        parts = [chunk(content=piece) for piece in pieces]
        whole = completion(text)
    wire = Wire([*parts, chunk(finish="stop"), "[DONE]"] if streamed else whole)
    model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", **wire.clients)
    return model.with_structured_output(schema, method=method, **kwargs), wire

"""Google's native API on loopback, for programs of `ChatGoogleGenerativeAI`. A fake gives the replies."""

import json
from urllib.parse import urlsplit

from langchain_gemini_compat.testing._server.answers import Answer
from langchain_gemini_compat.testing._server.http_server import serve

_KEY = {"Authorization": "Bearer test-key"}


def serve_native(fake):
    """Serve the replies of `fake` in the format of the native API.

    Return a context manager that gives the address.
    """

    def respond(method, url, headers, content):
        model, _, action = urlsplit(url).path.rpartition("/")[2].partition(":")
        body = json.loads(content)
        if action == "batchEmbedContents":
            return _answer_embeddings(fake, model, body)
        status, reply = _ask(fake, "chat/completions", _read_request(model, body))
        if status != 200:
            error = {"code": status, "message": reply["error"]["message"], "status": reply["error"]["type"].upper()}
            return _answer_json({"error": error}, status)
        responses = _build_responses(reply)
        if action == "streamGenerateContent":
            events = [f"data: {json.dumps(response)}\r\n\r\n".encode() for response in responses]
            return Answer(200, {"content-type": "text/event-stream"}, events)
        parts = [part for response in responses for part in response["candidates"][0]["content"]["parts"]]
        return _answer_json({**responses[-1], "candidates": [_candidate(parts, "STOP")]})

    return serve(respond, "", 0, "127.0.0.1")


def _ask(fake, path, body):
    answer = fake.respond("POST", f"/v1/{path}", _KEY, json.dumps(body).encode())
    return answer.status, json.loads(b"".join(answer.steps))


def _answer_json(body, status=200):
    return Answer(status, {"content-type": "application/json"}, [json.dumps(body).encode()])


def _answer_embeddings(fake, model, body):
    texts = ["".join(part["text"] for part in request["content"]["parts"]) for request in body["requests"]]
    _, reply = _ask(fake, "embeddings", {"model": model, "input": texts})
    return _answer_json({"embeddings": [{"values": item["embedding"]} for item in reply["data"]]})


def _read_request(model, body):
    """Return the request in OpenAI's form, as far as the replies of the pages depend on it."""
    config = body.get("generationConfig", {})
    messages = [message for content in body["contents"] for message in _read_content(content)]
    declared = [one for tool in body.get("tools") or () for one in tool.get("functionDeclarations", ())]
    request = {"model": model, "messages": messages}
    if declared:
        request["tools"] = [{"type": "function", "function": {"name": one["name"]}} for one in declared]
    if config.get("responseMimeType") == "application/json":
        request["response_format"] = {"type": "json_object"}
    if config.get("thinkingConfig", {}).get("includeThoughts"):
        request["extra_body"] = {"google": {"thinking_config": {"include_thoughts": True}}}
    return request


def _read_content(content):
    results = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
    if results:
        return [{"role": "tool", "content": json.dumps(result["response"])} for result in results]
    text = "".join(part.get("text", "") for part in content["parts"])
    return [{"role": "assistant" if content["role"] == "model" else "user", "content": text}]


def _build_responses(reply):
    """Return the responses of a stream: one for each part, and half a text in each."""
    message = reply["choices"][0]["message"]
    text = message.get("content") or ""
    parts = [{"text": message["reasoning_content"], "thought": True}] if message.get("reasoning_content") else []
    parts += [{"text": piece} for piece in (text[: len(text) // 2], text[len(text) // 2 :]) if piece]
    for call in message.get("tool_calls") or ():
        function = call["function"]
        parts.append({"functionCall": {"name": function["name"], "args": json.loads(function["arguments"])}})
    usage = reply["usage"]
    counts = {
        "promptTokenCount": usage["prompt_tokens"],
        "candidatesTokenCount": usage["completion_tokens"],
        "totalTokenCount": usage["total_tokens"],
    }
    responses = [{"candidates": [_candidate([part], None)], "modelVersion": reply["model"]} for part in parts]
    responses[-1]["candidates"][0]["finishReason"] = "STOP"
    responses[-1]["usageMetadata"] = counts
    return responses


def _candidate(parts, reason):
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
    return {**candidate, "finishReason": reason} if reason else candidate

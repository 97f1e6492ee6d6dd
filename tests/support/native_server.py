"""Google's native API on loopback, for gateways and for programs of `ChatGoogleGenerativeAI`.

A fake judges the requests and gives the replies, both in the form of the compatible API. This module translates between
the two APIs.
"""

import json
import re
from base64 import b64decode
from urllib.parse import urlsplit

from native_google import standard

from langchain_gemini_compat.testing._rules.signatures import PLACEHOLDER
from langchain_gemini_compat.testing._server.answers import Answer
from langchain_gemini_compat.testing._server.endpoint import BASE_PATHS
from langchain_gemini_compat.testing._server.http_server import serve

_KEY = {"Authorization": "Bearer test-key"}
_TAG = re.compile(r"(</?thought>)")
_REASONS = {"length": "MAX_TOKENS"}


def serve_native(fake, port=0):
    """Serve the replies of `fake` in the format of the native API.

    `fake.requests` contains the translated requests. Return a context manager that gives the address.
    """

    def respond(method, url, headers, content):
        model, _, action = urlsplit(url).path.rpartition("/")[2].partition(":")
        body = json.loads(content)
        if action in ("embedContent", "batchEmbedContents"):
            return _answer_embeddings(fake, model, body, is_batch=action == "batchEmbedContents")
        streams = action == "streamGenerateContent"
        mode = {"stream": True, "stream_options": {"include_usage": True}} if streams else {}
        answer = _ask(fake, "chat/completions", {**_read_request(model, body), **mode})
        if answer.status != 200:
            return _answer_error(answer)
        reader = _ReplyReader()
        if streams:
            return Answer(200, {"content-type": "text/event-stream"}, list(_translate_events(answer.steps, reader)))
        return _answer_json(reader.read_chunk(json.loads(b"".join(answer.steps))))

    return serve(respond, "", port, "127.0.0.1")


def _ask(fake, path, body):
    return fake.respond("POST", f"{BASE_PATHS[fake.surface]}/{path}", _KEY, json.dumps(body).encode())


def _answer_json(body, status=200):
    return Answer(status, {"content-type": "application/json"}, [json.dumps(body).encode()])


def _answer_error(answer):
    """Return the error of `answer` as the native API sends it: a JSON object with the key `error`."""
    body = json.loads(b"".join(answer.steps))
    error = (body[0] if isinstance(body, list) else body)["error"]
    if "status" not in error:
        error = {"code": answer.status, "message": error["message"], "status": error["type"].upper()}
    return _answer_json({"error": error}, answer.status)


def _answer_embeddings(fake, model, body, *, is_batch):
    requests = body["requests"] if is_batch else [body]
    texts = ["".join(part["text"] for part in request["content"]["parts"]) for request in requests]
    answer = _ask(fake, "embeddings", {"model": model, "input": texts})
    if answer.status != 200:
        return _answer_error(answer)
    vectors = [{"values": item["embedding"]} for item in json.loads(b"".join(answer.steps))["data"]]
    return _answer_json({"embeddings": vectors} if is_batch else {"embedding": vectors[0]})


def _read_request(model, body):
    """Convert a native request to OpenAI's form. Leave out what the fake does not read."""
    config = body.get("generationConfig", {})
    history = _HistoryReader()
    for content in body["contents"]:
        history.read_content(content)
    request = {"model": model, "messages": history.messages}
    declared = [one for tool in body.get("tools") or () for one in _declared(tool)]
    if declared:
        request["tools"] = [{"type": "function", "function": {"name": one["name"]}} for one in declared]
    if _either(config, "responseMimeType", "response_mime_type") == "application/json":
        request["response_format"] = {"type": "json_object"}
    thinking = _either(config, "thinkingConfig", "thinking_config") or {}
    if _either(thinking, "includeThoughts", "include_thoughts"):
        request["extra_body"] = {"google": {"thinking_config": {"include_thoughts": True}}}
    return request


def _either(holder, *names):
    """Return the value of the first of `names` that exists, or `None`. Google accepts two spellings of each key."""
    return next((holder[name] for name in names if name in holder), None)


def _declared(tool):
    return _either(tool, "functionDeclarations", "function_declarations") or ()


class _HistoryReader:
    """Converts the native API's `contents` to messages. A call and its result get the same new id."""

    def __init__(self):
        self.messages = []
        self._waiting = []

    def read_content(self, content):
        """Convert one content of the native API to messages, and append them to `messages`."""
        parts = content["parts"]
        for result in (part[key] for part in parts for key in _RESULT_KEYS if key in part):
            self._add_result(result)
        texts = [part for part in parts if "text" in part and not part.get("thought")]
        calls = [part for part in parts if any(key in part for key in _CALL_KEYS)]
        text = "".join(part["text"] for part in texts)
        if content.get("role") == "model":
            message = {"role": "assistant", **({"content": text} if text else {})}
            if calls:
                message["tool_calls"] = [self._read_call(part) for part in calls]
            self.messages.append(message)
        elif texts:
            self.messages.append({"role": "user", "content": text})

    def _read_call(self, part):
        call = _either(part, *_CALL_KEYS)
        made = f"native-{len(self.messages)}-{len(self._waiting)}"
        self._waiting.append((made, call["name"]))
        arguments = json.dumps(call.get("args") or {})
        entry = {"id": made, "type": "function", "function": {"name": call["name"], "arguments": arguments}}
        signature = _either(part, "thoughtSignature", "thought_signature")
        return entry | ({"extra_content": _signed(signature)} if signature else {})

    def _add_result(self, result):
        # Portkey invents a name for a result without a name, but keeps the order of the results. If no call has the
        # name of the result, the result belongs to the first call that has no result yet.
        place = next((at for at, (_, name) in enumerate(self._waiting) if name == result["name"]), 0)
        made = self._waiting.pop(place)[0] if self._waiting else "unknown"
        answer = {"tool_call_id": made, "name": result["name"], "content": json.dumps(result["response"])}
        self.messages.append({"role": "tool", **answer})


_CALL_KEYS = ("functionCall", "function_call")
_RESULT_KEYS = ("functionResponse", "function_response")


def _signed(signature):
    if signature != PLACEHOLDER:
        signature = standard(signature)
        # LiteLLM encodes Google's placeholder as base64.
        signature = PLACEHOLDER if b64decode(signature) == PLACEHOLDER.encode() else signature
    return {"google": {"thought_signature": signature}}


def _translate_events(events, reader):
    """Convert the events of a stream to the native form. Errors, pauses and broken connections stay unchanged."""
    waiting = None
    for event in events:
        chunk = _read_chunk(event)
        if chunk and not chunk["choices"]:
            # This chunk contains only the usage. Add it to the previous chunk, because the native API sends both
            # together.
            waiting = (waiting or {}) | reader.read_chunk(chunk)
            continue
        if waiting:
            yield f"data: {json.dumps(waiting)}\r\n\r\n".encode()
        waiting = reader.read_chunk(chunk) if chunk else None
        if chunk is None and event != b"data: [DONE]\n\n":
            yield event
    if waiting:
        yield f"data: {json.dumps(waiting)}\r\n\r\n".encode()


def _read_chunk(event):
    """Return the chunk in an event, or `None` if the event is an error or contains no chunk."""
    if not isinstance(event, bytes) or not event.startswith(b"data: {"):
        return None
    try:
        chunk = json.loads(event.removeprefix(b"data: "))
    except ValueError:
        return None
    return None if "error" in chunk else chunk


class _ReplyReader:
    """Converts the chunks of one reply to the native form. A reply that is not streamed is a single chunk."""

    def __init__(self):
        self._is_thought = False
        #: Maps the index of a tool call to the call, until its arguments are complete.
        self._open = {}

    def read_chunk(self, chunk):
        """Return the native response for a chunk."""
        response = {"modelVersion": chunk["model"], "responseId": chunk["id"]}
        for choice in chunk["choices"][:1]:
            candidate = {"index": 0}
            parts = list(self._read_parts(choice.get("message") or choice.get("delta") or {}))
            if parts:
                candidate["content"] = {"role": "model", "parts": parts}
            if choice.get("finish_reason"):
                candidate["finishReason"] = _read_reason(choice["finish_reason"])
            response["candidates"] = [candidate]
        if chunk.get("usage"):
            response["usageMetadata"] = _read_usage(chunk["usage"])
        return response

    def _read_parts(self, message):
        if message.get("reasoning_content"):
            yield {"text": message["reasoning_content"], "thought": True}
        for piece in _TAG.split(message.get("content") or ""):
            if _TAG.fullmatch(piece):
                self._is_thought = piece == "<thought>"
            elif piece:
                yield {"text": piece, "thought": True} if self._is_thought else {"text": piece}
        signature = _signature_of(message)
        if signature:
            yield {"text": "", "thoughtSignature": signature}
        for entry in message.get("tool_calls") or ():
            yield from self._read_call(entry)

    def _read_call(self, entry):
        """Add a piece of a call. Yield the whole native call if the piece completes its arguments."""
        call = self._open.setdefault(entry.get("index"), {"name": "", "arguments": "", "signature": None})
        call["name"] = entry["function"].get("name") or call["name"]
        call["arguments"] += entry["function"]["arguments"]
        call["signature"] = _signature_of(entry) or call["signature"]
        try:
            part = {"functionCall": {"name": call["name"], "args": json.loads(call["arguments"])}}
        except ValueError:
            return
        del self._open[entry.get("index")]
        yield part | ({"thoughtSignature": call["signature"]} if call["signature"] else {})


def _signature_of(holder):
    return holder.get("extra_content", {}).get("google", {}).get("thought_signature")


def _read_reason(reason):
    """Return the native finish reason for `reason`, which may contain Google's own finish reason after a colon."""
    return _REASONS.get(reason) or (reason.rpartition(": ")[2] if ": " in reason else "STOP")


def _read_usage(usage):
    # Thoughts are counted only in the total of Google's compatible API.
    thoughts = usage["total_tokens"] - usage["prompt_tokens"] - usage["completion_tokens"]
    counts = {
        "promptTokenCount": usage["prompt_tokens"],
        "candidatesTokenCount": usage["completion_tokens"],
        "totalTokenCount": usage["total_tokens"],
    }
    return counts | ({"thoughtsTokenCount": thoughts} if thoughts else {})

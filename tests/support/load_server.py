"""Servers for load tests, in a process of their own, so that only the client's memory and sockets are counted.

`canned` answers as fast as asyncio can. `fake` is a `FakeGemini` that plays the faults of `fault_of`. If this module
runs as a program, it serves until its standard input ends. For each line of this input, it prints its counts.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from random import Random

from langchain_gemini_compat.testing import FakeGemini, Fault, Raw

MODEL = "gemini-3.8-flash"
SEED = 20
SHARE_OF_FAULTS = 0.2
NOT_JSON = Raw('data: {"choices": [{"delta": {"content"\n\n', content_type="text/event-stream")
#: Each row has three values:
#: - a fault,
#: - the outcome of a call whose last try has this fault,
#: - the calls that are not retried after this fault: `all`, `streams` (calls that have already streamed text), or an
#:   empty string for none.
FAULTS = (
    (Fault.rate_limit("0.02s"), "RateLimitError", ""),
    (Fault.rate_limit("39043s", per="day"), "QuotaExhaustedError", "all"),
    (Fault.overloaded(), "ServerError", ""),
    (Fault.internal(), "ServerError", ""),
    (Fault.error_in_stream(), "ServerError", "streams"),
    (Fault.error_in_stream("data_array", after=""), "ServerError", ""),
    (Fault.cut_stream(), "TruncatedStreamError", "streams"),
    (Fault.cut_stream(after=""), "TruncatedStreamError", ""),
    (Fault.dropped_connection(), "TruncatedStreamError", "streams"),
    (Fault.dropped_connection(after=""), "TruncatedStreamError", ""),
    (Fault.empty_reply(), "EmptyReplyError", ""),
    (Fault.malformed_call(), "MalformedToolCallError", ""),
    (NOT_JSON, "InvalidReplyError", ""),
    (Fault.blocked(), "refusal", "all"),
)
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_NUMBER = re.compile(rb'"call (\d+)(?: together with (\d+))?"')


def right_answer(number):
    """Return the answer to a call. It is longer than the strings that the JSON parser caches."""
    return f"This is the answer to call {number}, and {number} is the number that the caller has to look for in it."


def fault_of(number, tried):
    """Return the fault of try `tried` of call `number` as a row of `FAULTS`; `None` if the try has no fault."""
    dice = Random(f"{SEED}/{number}/{tried}")
    return dice.choice(FAULTS) if dice.random() < SHARE_OF_FAULTS else None


def expect(number, max_retries, *, stream):
    """Return the expected outcome of call `number`, and its number of tries.

    The outcome is `right`, `refusal` or the name of an error.
    """
    for tried in range(max_retries + 1):
        row = fault_of(number, tried)
        if row is None:
            return "right", tried + 1
        if row[2] == "all" or (row[2] == "streams" and stream):
            break
    return row[1], tried + 1


class Server:
    """Controls the process of the server."""

    def __init__(self, process):
        self._process = process
        self.url = process.stdout.readline().strip()

    def count(self):
        """Return how many requests each call has sent. The key `connections` has the number of open connections."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Counter(json.loads(self._process.stdout.readline()))


@contextmanager
def start(kind):
    """Yield a running server. Its process ends with the context."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, __file__, kind]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        try:
            yield Server(process)
        finally:
            process.stdin.close()
    assert process.returncode == 0


class Canned(asyncio.Protocol):
    """Answers each HTTP/1.1 request and keeps the connection open. The number of the call determines the answer."""

    def __init__(self, counts, waiting):
        self.counts, self.waiting = counts, waiting
        self.buffer = b""

    def connection_made(self, transport):
        self.transport = transport
        self.counts["connections"] += 1

    def connection_lost(self, error):
        self.counts["connections"] -= 1

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n") + 4) > 3:
            end += int(_LENGTH.search(self.buffer, 0, end)[1])
            if len(self.buffer) < end:
                return
            request, self.buffer = self.buffer[:end], self.buffer[end:]
            self.answer(request)

    def answer(self, request):
        number, together = _NUMBER.search(request).groups()
        self.counts[number.decode()] += 1
        text = right_answer(number.decode())
        if b'"stream":true' not in request:
            message = {"role": "assistant", "content": text}
            self.write(b"application/json", json.dumps(_reply("message", message)).encode())
        elif together is None:
            self.write(b"text/event-stream", b"".join(_events(text)))
        else:
            self.start_together(_events(text), int(together))

    def write(self, kind, body):
        head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (kind, len(body))
        self.transport.write(head + body)

    def start_together(self, events, count):
        """Send the first event at once. Send the other events of all streams as soon as `count` streams have begun."""
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        self.transport.write(head + _framed(events[0]))
        self.waiting.append((self.transport, events[1:]))
        if len(self.waiting) == count:
            for transport, rest in self.waiting:
                transport.write(b"".join(map(_framed, rest)) + b"0\r\n\r\n")
            self.waiting.clear()


def _events(text):
    words = re.findall(r"\S+\s*", text)
    pieces = [_reply("delta", {"role": "assistant", "content": word}, finish=None) for word in words]
    last = _reply("delta", {"role": "assistant"})
    return [b"data: %b\n\n" % json.dumps(piece).encode() for piece in (*pieces, last)] + [b"data: [DONE]\n\n"]


def _reply(place, message, finish="stop"):
    usage = {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10}
    choice = {"index": 0, "finish_reason": finish, place: message}
    return {"id": "reply-1", "created": 1, "model": MODEL, "choices": [choice], **({"usage": usage} if finish else {})}


def _framed(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


async def serve_canned():
    counts, waiting = Counter(), []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Canned(counts, waiting), "127.0.0.1", 0, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(counts), flush=True)


def serve_fake():
    tries = Counter()

    def answer(request):
        number = request.prompt.removeprefix("call ")
        row = fault_of(number, tries[number])
        tries[number] += 1
        return right_answer(number) if row is None else row[0]

    fake = FakeGemini(answer)
    with fake.serve() as url:
        print(url, flush=True)
        for _ in sys.stdin:
            print(json.dumps({**tries, "requests": len(fake.requests)}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "canned":
        asyncio.run(serve_canned())
    else:
        serve_fake()

"""The server of the benchmark, in a process of its own: it sends prepared replies as fast as the socket takes them.

The first part of the path names the reply (see `replies`), so a client needs only a base URL. Each event is an HTTP
chunk, as real servers send them.
"""

import asyncio
import json
import re
import subprocess
import sys
from contextlib import contextmanager
from functools import cache

import replies

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_REQUEST = re.compile(rb"POST /([^/]+)/(\S+)")


@contextmanager
def start():
    """Yield the URL of a server. Its process ends with the context."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, __file__], stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


class Canned(asyncio.Protocol):
    """HTTP/1.1 with keep-alive: one reply for each request."""

    def connection_made(self, transport):
        self.transport = transport
        self.pieces, self.missing, self.path = [], 0, None

    def data_received(self, data):
        if self.path is None:
            data = b"".join([*self.pieces, data])
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                self.pieces = [data]
                return
            self.path = _REQUEST.match(data).groups()
            self.missing, self.pieces = int(_LENGTH.search(data, 0, end)[1]) + end, []
            self.wants_base64 = False
        self.wants_base64 = self.wants_base64 or b'"base64"' in data
        self.missing -= len(data)
        if self.missing == 0:
            name, rest = self.path
            self.path = None
            name = f"{name.decode()}-base64" if self.wants_base64 else name.decode()
            self.transport.write(_reply(name, b"GenerateContent" in rest or b"generateContent" in rest))


@cache
def _reply(name, is_google):
    """Return the bytes of the reply `name`, in Google's own protocol or OpenAI's."""
    body = replies.build(name, is_google=is_google)
    if isinstance(body, dict):
        content = json.dumps(body).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(content)
        return head + content
    ends = [] if is_google else [b"data: [DONE]\n\n"]
    events = [b"data: %b\n\n" % json.dumps(event, separators=(",", ":")).encode() for event in body] + ends
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events) + b"0\r\n\r\n"


async def _serve():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Canned, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    # Do not wait for clients with open connections.
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve())

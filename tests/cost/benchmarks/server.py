"""The server of the benchmark, a process of its own: replies made once, sent as fast as the socket takes them.

The first part of the path names the reply (see `replies`), so clients need no more than a base URL. Each event is an
HTTP chunk, as servers write them.
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
    """The URL of a server that answers; at the end its process is gone."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, __file__], stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


class Canned(asyncio.Protocol):
    """HTTP/1.1 with connections kept alive, one reply for each request."""

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
        self.missing -= len(data)
        if self.missing == 0:
            name, rest = self.path
            self.path = None
            self.transport.write(_reply(name.decode(), b"GenerateContent" in rest or b"generateContent" in rest))


@cache
def _reply(name, is_google):
    """The bytes of the reply called `name`, in Google's own protocol or OpenAI's."""
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
    # Those who still have a connection open do not hold the end up.
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve())

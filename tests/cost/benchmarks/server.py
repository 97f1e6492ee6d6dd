"""The server of the benchmark, in a process of its own: it sends prepared replies.

The first part of the path is the reply's name (see `replies`), so a client needs only a base URL. Each event is an HTTP
chunk, as real servers send them. All chunks of a stream are written at once, except those of a `live` stream, which are
written one by one.
"""

import asyncio
import json
import re
import ssl
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import replies
import trustme

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_REQUEST = re.compile(rb"POST /([^/]+)/(\S+)")
_RESULT = re.compile(rb'"role":\s*"tool"|"functionResponse"')
_JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
#: Maps a label to the number of connections on which a client requested the reply `count-<label>`.
_COUNTED = Counter()


@dataclass(frozen=True)
class Server:
    """A running server: its URL, its URL over TLS, and the file of the certificate authority."""

    url: str
    tls_url: str
    authority: str


@contextmanager
def start():
    """Yield a server. Its process ends with the context."""
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([sys.executable, __file__, folder], stdin=pipe, stdout=pipe, text=True) as process,
    ):
        try:
            yield Server(*process.stdout.readline().split())
        finally:
            process.stdin.close()


class Canned(asyncio.Protocol):
    """Speaks HTTP/1.1 with keep-alive, and sends one prepared reply for each request."""

    def connection_made(self, transport):
        self.transport = transport
        self.pieces, self.missing, self.path = [], 0, None
        self.labels, self.live = set(), None

    def connection_lost(self, exc):
        if self.live:
            self.live.cancel()

    def data_received(self, data):
        self.pieces.append(data)
        if self.path is None:
            data = b"".join(self.pieces)
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                return
            self.path = _REQUEST.match(data).groups()
            self.missing = int(_LENGTH.search(data, 0, end)[1]) + end
        self.missing -= len(data)
        if self.missing == 0:
            (name, rest), body = self.path, b"".join(self.pieces)
            self.path, self.pieces = None, []
            self._answer(name.decode(), rest, body)

    def _answer(self, name, rest, body):
        kind, _, label = name.partition("-")
        is_google = b"enerateContent" in rest
        if kind == "total":
            self.transport.write(_whole(_COUNTED[label]))
            return
        if kind == "count" and label not in self.labels:
            self.labels.add(label)
            _COUNTED[label] += 1
        results = len(_RESULT.findall(body)) if kind == "agent" else 0
        head, chunks = _reply(name, is_google, kind == "vectors" and b'"base64"' in body, results)
        if kind == "live":
            self.live = asyncio.ensure_future(self._write_slowly(head, chunks, int(name.split("-")[2]) / 1000))
        else:
            self.transport.write(head + b"".join(chunks))

    async def _write_slowly(self, head, chunks, seconds):
        self.transport.write(head)
        for chunk in chunks:
            await asyncio.sleep(seconds)
            self.transport.write(chunk)


@cache
def _reply(name, is_google, is_base64, results):
    """Return the bytes of the reply `name`: the HTTP head, and the chunks of a stream."""
    body = replies.build(name, is_google=is_google, is_base64=is_base64, results=results)
    if isinstance(body, dict):
        return _whole(body), ()
    events = [b"data: %b\n\n" % json.dumps(event, separators=(",", ":")).encode() for event in body]
    if not is_google:
        events.append(b"data: [DONE]\n\n")
    chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    return _STREAM_HEAD, (*chunks[:-1], chunks[-1] + b"0\r\n\r\n")


def _whole(value):
    content = json.dumps(value).encode()
    return _JSON_HEAD % len(content) + content


async def _serve(folder):
    loop = asyncio.get_running_loop()
    authority, file = trustme.CA(), Path(folder) / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    plain, encrypted = [
        await loop.create_server(Canned, "127.0.0.1", 0, backlog=1024, ssl=one) for one in (None, context)
    ]
    ports = [one.sockets[0].getsockname()[1] for one in (plain, encrypted)]
    print(f"http://127.0.0.1:{ports[0]} https://127.0.0.1:{ports[1]} {file}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    # Close the servers without waiting for clients that have open connections.
    plain.close()
    encrypted.close()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))

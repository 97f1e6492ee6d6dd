"""Decompressed replies stay within the documented memory limit, with httpx and with httpx2."""

import gzip
import json
import subprocess
import sys
import threading
import zlib
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from wire import Wire, chunk, completion, google_error, http

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._transport import decompression as _decompress
from langchain_gemini_compat._transport import reader as _reply_reader

WHOLE = json.dumps(completion("Hello.")).encode()
EVENTS = b"".join(
    b"data: %b\n\n" % (event if isinstance(event, bytes) else json.dumps(event).encode())
    for event in (chunk(content="Hello."), chunk(finish="stop"), b"[DONE]")
)


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZip": gzip.compress,
    "identity, gzip": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
    "": bytes,
}


def lazily(body, encoding, status=200, size=7):
    """Return a response whose body arrives in small compressed pieces."""

    class Body(http.SyncByteStream):
        def __iter__(self):
            yield from (body[place : place + size] for place in range(0, len(body), size))

    return http.Response(status, stream=Body(), headers={"content-encoding": encoding})


def build(answer):
    return ChatGeminiCompat(model="m", base_url="http://server.example/v1", max_retries=0, **Wire(answer).clients)


@pytest.mark.parametrize(
    ("encoding", "pack"), [*PACKERS.items(), ("deflate", raw_deflate)], ids=[*map(repr, PACKERS), "raw deflate"]
)
def test_compressed_reply_is_read(encoding, pack):
    """The reply is gzip or deflate in any form, whole or streamed, and arrives in pieces of any size. Field case E6."""
    for size in (1, 7, 10_000):
        assert build(lazily(pack(WHOLE), encoding, size=size)).invoke("hi").text == "Hello."
        streamed = build(lazily(pack(EVENTS), encoding, size=size)).stream("hi")
        assert "".join(part.text for part in streamed) == "Hello."


def test_several_gzip_members_are_one_reply():
    """RFC 1952 allows several members, and some gateways send them."""
    body = gzip.compress(WHOLE[:50]) + gzip.compress(b"") + gzip.compress(WHOLE[50:])
    assert build(lazily(body, "gzip")).invoke("hi").text == "Hello."


@pytest.mark.parametrize("rest", [b"\0" * 512, b"\0", b"\x1f", b"garbage", b"\x1f\x8a\x1f\x8b"], ids=repr)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_padding_after_the_last_gzip_member_is_ignored(rest, size):
    """Any bytes after the last gzip member are ignored, as the gzip program does."""
    assert build(lazily(gzip.compress(WHOLE) + rest, "gzip", size=size)).invoke("hi").text == "Hello."
    streamed = build(lazily(gzip.compress(EVENTS) + rest, "gzip", size=size)).stream("hi")
    assert "".join(part.text for part in streamed) == "Hello."
    refusal = gzip.compress(json.dumps(google_error(400, "INVALID_ARGUMENT", "boom")).encode())
    with pytest.raises(errors.InvalidRequestError, match="boom"):
        build(lazily(refusal + rest, "gzip", status=400, size=size)).invoke("hi")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("cut", [1, 2])
def test_compressed_whole_reply_without_its_end_is_an_error(encoding, cut):
    """The checksum at the end is missing, so nothing proves that the reply is complete."""
    with pytest.raises(errors.TruncatedStreamError):
        build(lazily(PACKERS[encoding](WHOLE)[:-cut], encoding)).invoke("hi")


def test_request_accepts_only_gzip_and_deflate():
    """Brotli and zstd are not requested, even if the HTTP library can read them. Field case E6."""
    wire = Wire(completion())
    ChatGeminiCompat(model="m", base_url="http://server.example/v1", **wire.clients).invoke("hi")
    assert wire.requests[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip, br", "compress", "x" * 500])
def test_unrequested_encoding_is_refused(encoding):
    """The decompressor of another encoding may not be able to limit its output. Field case E6."""
    for ask in (lambda model: model.invoke("hi"), lambda model: list(model.stream("hi"))):
        with pytest.raises(errors.InvalidReplyError, match="compressed the reply as") as caught:
            ask(build(lazily(b"x", encoding)))
        assert encoding[:40] in str(caught.value)
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "zstd"])
def test_error_in_an_unrequested_encoding_keeps_its_status(encoding):
    """A 429 is a rate limit even if its body cannot be read. Field case E6."""
    with pytest.raises(errors.RateLimitError, match="compressed the reply as"):
        build(lazily(b"x", encoding, 429)).invoke("hi")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_error_keeps_the_servers_text(encoding):
    body = PACKERS[encoding](json.dumps(google_error(400, "INVALID_ARGUMENT", "No such field.")).encode())
    with pytest.raises(errors.InvalidRequestError, match=r"No such field\."):
        build(lazily(body, encoding, 400)).invoke("hi")


def test_error_with_broken_compression_keeps_its_status():
    with pytest.raises(errors.ServerError):
        build(lazily(b"no gzip", "gzip", 503)).invoke("hi")


def test_endless_empty_gzip_members_exceed_the_size_limit(monkeypatch):
    """Each received piece counts against the limit with a fixed size, because an empty member gives no bytes."""
    monkeypatch.setattr(_reply_reader, "MAX_REPLY_BYTES", 2**16)
    with pytest.raises(errors.InvalidReplyError, match="longer than"):
        build(lazily(gzip.compress(b"") * 2000, "gzip", size=20)).invoke("hi")


def test_step_of_a_decompressor_is_bounded():
    """A received piece that decompresses to a megabyte is returned in steps. Field case E6."""
    pieces = list(_decompress.build_decompressor("gzip").feed(gzip.compress(b" " * 2**20)))
    assert max(map(len, pieces)) <= _decompress.STEP
    assert sum(map(len, pieces)) == 2**20


#: Maps an encoding to a compressed body. The tests fill this dict.
BOMBS = {}


class Bombs(BaseHTTPRequestHandler):
    """Answers `/ENCODING/STATUS/…` with bytes that decompress to 256 MiB, and `/plain/…` with a reply."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        _, encoding, status, *_ = self.path.split("/")
        plain = EVENTS if b'"stream":true' in body else WHOLE
        data = plain if encoding == "plain" else BOMBS[encoding]
        self.send_response(200 if encoding == "plain" else int(status))
        self.send_header("content-length", str(len(data)))
        if encoding != "plain":
            self.send_header("content-encoding", encoding)
        self.end_headers()
        try:
            self.wfile.write(data)
        except OSError:
            self.close_connection = True

    def log_message(self, *_):
        pass


@cache
def quarter_gigabyte(encoding):
    """Return compressed bytes that become 256 MiB of blanks."""
    if encoding == "zstd":
        packer = pytest.importorskip("zstandard").ZstdCompressor().compressobj()
    elif encoding == "br":
        packer = pytest.importorskip("brotli").Compressor(quality=1)
    else:
        packer = zlib.compressobj(6, wbits=zlib.MAX_WBITS | 16 if encoding == "gzip" else zlib.MAX_WBITS)
    compress = packer.process if encoding == "br" else packer.compress
    finish = packer.finish if encoding == "br" else packer.flush
    block = b" " * 2**20
    return b"".join([*(compress(block) for _ in range(256)), finish()])


@contextmanager
def bomb_server(encoding):
    BOMBS[encoding] = quarter_gigabyte(encoding)
    with ThreadingHTTPServer(("127.0.0.1", 0), Bombs) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "br"])
def test_decompression_bomb_stays_within_the_documented_memory(encoding):
    """The limits are 1 MiB for an error and 64 MiB for a reply. A separate process measures the memory. Field case E6."""
    with bomb_server(encoding) as url:
        program = str(Path(__file__).parents[1] / "support" / "bomb_client.py")
        command = [sys.executable, program, url, f"{encoding}/400", f"{encoding}/200"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    outcomes = [line.split() for line in done.stdout.splitlines()]
    assert [outcome for _, outcome in outcomes] == ["InvalidRequestError"] * 4 + ["InvalidReplyError"] * 4
    grown = [int(megabytes) for megabytes, _ in outcomes]
    assert sum(grown[:4]) < 30, outcomes
    assert sum(grown) < 160, outcomes

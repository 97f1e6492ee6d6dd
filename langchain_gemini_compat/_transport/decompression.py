"""Bounded decompression of a reply.

httpx (openai 2) decompresses a received piece in one step: 3 kB of brotli or gzip can become gigabytes before a limit
applies. Here each step gives at most `STEP` bytes. Only gzip and deflate are asked for, see `ACCEPTED`.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The request header `Accept-Encoding`. The decompressors of brotli and zstd have a bounded mode in new releases only.
ACCEPTED = "gzip, deflate"
#: Bytes that one step of a decompressor may give.
STEP = 2**18
_MAGIC = b"\x1f\x8b"
_GZIP = zlib.MAX_WBITS | 16
#: Bytes of the wrapper of deflate.
_WRAPPER = 2
_DEFLATE = 8


class UnsupportedEncodingError(ValueError):
    """The reply has a `Content-Encoding` that was not requested."""


class BrokenEncodingError(ValueError):
    """The bytes of the reply are not what its `Content-Encoding` says."""


def build_decompressor(encoding: str) -> Decompressor | None:
    """Return the decompressor for the header `Content-Encoding`, or `None` if the body is sent as it is.

    Raises `UnsupportedEncodingError` for other encodings and for more than one: each layer may inflate a thousandfold.
    """
    layers = [layer for name in encoding.lower().split(",") if (layer := name.strip()) not in ("", "identity")]
    if not layers:
        return None
    if layers == ["deflate"]:
        return Decompressor(zlib.MAX_WBITS)
    if layers in (["gzip"], ["x-gzip"]):
        return Decompressor(_GZIP)
    raise UnsupportedEncodingError(encoding)


class Decompressor:
    """An incremental decompressor of gzip or deflate."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._inflate = zlib.decompressobj(window)
        #: The first bytes of deflate, until they show whether it has the zlib wrapper.
        self._start: bytes | None = b"" if window == zlib.MAX_WBITS else None
        #: The first byte of what may be another member.
        self._rest = b""
        #: Whether something that is no member followed the last one.
        self._is_over = False
        self._began = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` becomes, at most `STEP` bytes at a time. Raises `BrokenEncodingError`."""
        self._began = self._began or bool(data)
        if self._start is not None:
            data = self._detect_wrapper(self._start + data)
        while data:
            if self._inflate.eof:
                data = self._begin_member(self._rest + data)
                if not data:
                    return
            while piece := self._step(data):
                yield piece
                data = self._inflate.unconsumed_tail
            data = self._inflate.unused_data

    def finish(self) -> None:
        """Raise `BrokenEncodingError` if the compressed data has no end: what was read may be cut."""
        if not self._inflate.eof and self._began:
            raise BrokenEncodingError("the compressed data ends too early")

    def _begin_member(self, data: bytes) -> bytes:
        """Return `data` if it is the next member of a gzip file, and nothing of what is padding or garbage.

        RFC 1952, 2.2: a gzip file may have several members. gzip itself ignores what follows the last one.
        """
        self._rest = b""
        if self._window == _GZIP and not self._is_over and data.startswith(_MAGIC):
            self._inflate = zlib.decompressobj(self._window)
            return data
        if self._window == _GZIP and not self._is_over and _MAGIC.startswith(data):
            self._rest = data
        else:
            self._is_over = True
        return b""

    def _detect_wrapper(self, start: bytes) -> bytes:
        """Return what can be decompressed of `start`. RFC 9110, 8.4.1.2: some servers leave the wrapper out."""
        if len(start) < _WRAPPER:
            self._start = start
            return b""
        self._start = None
        # RFC 1950, 2.2: method 8, and a multiple of 31.
        if start[0] & 15 != _DEFLATE or int.from_bytes(start[:_WRAPPER], "big") % 31:
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        return start

    def _step(self, data: bytes) -> bytes:
        try:
            return self._inflate.decompress(data, STEP)
        except zlib.error as err:
            raise BrokenEncodingError(str(err)) from None

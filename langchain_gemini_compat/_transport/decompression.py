"""Decompresses a reply in steps of at most `STEP` bytes.

httpx (used by openai 2) decompresses a received piece in one step. So 3 kB of brotli or gzip can become gigabytes
before a size limit applies. This module handles only gzip and deflate, see `ACCEPTED`.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The request header `Accept-Encoding`. brotli and zstd are omitted, because old releases of their decompressors cannot
#: limit how much data one step returns.
ACCEPTED = "gzip, deflate"
#: Maximum number of bytes that one step of a decompressor returns.
STEP = 2**18
_MAGIC = b"\x1f\x8b"
_GZIP = zlib.MAX_WBITS | 16
#: Length in bytes of the zlib header of deflate data.
_WRAPPER = 2
_DEFLATE = 8


class UnsupportedEncodingError(ValueError):
    """The reply has a `Content-Encoding` that was not requested."""


class BrokenEncodingError(ValueError):
    """The body of the reply does not match its `Content-Encoding`."""


def build_decompressor(encoding: str) -> Decompressor | None:
    """Return the decompressor for the header `Content-Encoding`, or `None` for a body without compression.

    Raises `UnsupportedEncodingError` for other encodings, and for a list such as `gzip, gzip`. Each layer of
    compression can shrink data to a thousandth of its size, so two layers can expand a body a million times.
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
        #: The first bytes of deflate data, kept until it is clear whether they are a zlib header.
        self._start: bytes | None = b"" if window == zlib.MAX_WBITS else None
        #: The first byte of a possible next gzip member, kept until the second byte arrives.
        self._rest = b""
        #: Whether other bytes have followed the end of the compressed data. These and all later bytes are ignored.
        self._is_over = False
        self._began = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed `data`, at most `STEP` bytes at a time.

        Invalid data raises `BrokenEncodingError`.
        """
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
        """Raise `BrokenEncodingError` if the end of the compressed data is missing."""
        if not self._inflate.eof and self._began:
            raise BrokenEncodingError("the compressed data ends too early")

    def _begin_member(self, data: bytes) -> bytes:
        """Start the next gzip member and return `data`. If `data` does not begin a member, return no bytes.

        A gzip file may have several members (RFC 1952, 2.2). The gzip program ignores bytes after the last member.
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
        """Find out whether deflate data begins with a zlib header. `start` contains its first bytes.

        Return `start`, or no bytes if `start` is too short. Some servers send no zlib header (RFC 9110, 8.4.1.2).
        """
        if len(start) < _WRAPPER:
            self._start = start
            return b""
        self._start = None
        # Two bytes are a zlib header if the lower half of the first byte is 8, and if both bytes as one number are a
        # multiple of 31 (RFC 1950, 2.2).
        if start[0] & 15 != _DEFLATE or int.from_bytes(start[:_WRAPPER], "big") % 31:
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        return start

    def _step(self, data: bytes) -> bytes:
        try:
            return self._inflate.decompress(data, STEP)
        except zlib.error as err:
            raise BrokenEncodingError(str(err)) from None

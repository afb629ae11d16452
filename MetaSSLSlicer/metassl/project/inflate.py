"""Compressed files, read in pieces to their very end."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

_CHUNK = 1 << 20
_GZIP = 31  # "with the header and the checksum of gzip", for zlib


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    """What `stream` still holds, some at a time."""
    while chunk := stream.read(_CHUNK):
        yield chunk


def inflated(stream: BinaryIO) -> Iterator[bytes]:
    """What the gzip stream that begins here holds, some at a time; its checksum is tested.

    gzip.open looks at zeros that pad the end one by one: a minute for some hundred MB. Raises EOFError when its end is
    missing, zlib.error when it is damaged.
    """
    inflate = zlib.decompressobj(_GZIP)
    for data in chunks_of(stream):
        while data:
            if inflate.eof:
                if not (data := data.lstrip(b"\0")):
                    break
                inflate = zlib.decompressobj(_GZIP)
            yield inflate.decompress(data, _CHUNK)
            data = inflate.unconsumed_tail or inflate.unused_data
    while not inflate.eof and (rest := inflate.decompress(b"", _CHUNK)):
        yield rest
    if not inflate.eof:
        raise EOFError

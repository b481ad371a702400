"""Reads a response body and decodes it, up to one megabyte of decoded data."""

from __future__ import annotations

import zlib

LARGEST_BODY = 1024 * 1024


class Body:
    """Collects and decodes a response body, and never keeps more than the limit.

    A decoder without a limit decodes a whole chunk: 64 KiB of gzip can become 64 MB.

    Attributes:
        unread: Why the body cannot be read, as the end of a sentence that starts with "a body
            that".
    """

    def __init__(self, encoding: str) -> None:
        """Start a body. ``encoding`` is the value of ``Content-Encoding``, or empty."""
        shown = encoding.strip()  # Unchanged, so that a secret in it is recognized.
        encoding = shown.lower() or "identity"
        self._decoder = (
            zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding in {"gzip", "deflate"} else None
        )
        self.unread = (
            None
            if self._decoder or encoding == "identity"
            else f"has the unknown encoding {shown[:40]!r}"
        )
        self._content = bytearray()

    def takes(self, chunk: bytes | bytearray) -> bool:
        """Add a chunk; return whether to read more."""
        room = LARGEST_BODY + 1 - len(self._content)
        if self._decoder is None:
            self._content += chunk[:room]
        else:
            try:
                self._content += self._decoder.decompress(chunk, room)
            except zlib.error:
                self.unread = "cannot be decoded"
            if self._decoder.unused_data:  # The decoder would keep everything that follows.
                self.unread = "has data after the end of its encoding"
        if len(self._content) > LARGEST_BODY:
            self.unread = f"is larger than {LARGEST_BODY} bytes"
        return self.unread is None

    def end(self) -> bytes:
        """The decoded body; empty if it cannot be read."""
        if self._decoder and not self._decoder.eof and self._content and not self.unread:
            self.unread = "ends before the end of its encoding"
        return b"" if self.unread else bytes(self._content)

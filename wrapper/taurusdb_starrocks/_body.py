"""How much of a reply is read: never more than a megabyte, decoded, whatever comes."""

from __future__ import annotations

import zlib

import httpx

from taurusdb_starrocks._reply import clean, secrets

LARGEST_BODY = 1024 * 1024
# Headers of a reply that go no further: those that no longer fit the body, and those that httpx
# would act on, which is parsing a redirect nobody follows and sending cookies back.
DROPPED = {
    b"content-encoding",
    b"content-length",
    b"transfer-encoding",
    b"location",
    b"set-cookie",
}


class Body:
    """Collects a reply's body, decoding as it comes and never holding more than the limit.

    httpx's own decoders unpack a chunk whole: 64 KiB of gzip can become 64 MB.
    """

    def __init__(self, headers: httpx.Headers) -> None:
        encoding = headers.get("Content-Encoding", "identity").strip().lower()
        self._decoder = (
            zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding in {"gzip", "deflate"} else None
        )
        self._unread = (
            None
            if self._decoder or encoding == "identity"
            else f"has the unknown encoding {encoding[:40]!r}"
        )
        self._content = bytearray()

    def takes(self, chunk: bytes) -> bool:
        """Whether more is wanted after this chunk."""
        room = LARGEST_BODY + 1 - len(self._content)
        if self._decoder is None:
            self._content += chunk[:room]
        else:
            try:
                self._content += self._decoder.decompress(chunk, room)
            except zlib.error:
                self._unread = "cannot be decoded"
            if self._decoder.unused_data:  # The decoder would keep all that follows.
                self._unread = "goes on after its encoding has ended"
        if len(self._content) > LARGEST_BODY:
            self._unread = f"is larger than {LARGEST_BODY} bytes"
        return self._unread is None

    def whole(self, response: httpx.Response, request: httpx.Request) -> httpx.Response:
        """The response with its body read; one that could not be is empty and says why."""
        if self._decoder and not self._decoder.eof and self._content and not self._unread:
            self._unread = "ends before its encoding does"
        headers = httpx.Headers(
            [(name, value) for name, value in response.headers.raw if name.lower() not in DROPPED]
        )
        if "X-Request-Id" in headers:
            request_id = clean(headers["X-Request-Id"], secrets(request))
            headers["X-Request-Id"] = request_id.encode("ascii", "replace").decode("ascii")
        return httpx.Response(
            response.status_code,
            headers=headers,
            content=b"" if self._unread else bytes(self._content),
            extensions={"unread": self._unread},
            request=request,
        )

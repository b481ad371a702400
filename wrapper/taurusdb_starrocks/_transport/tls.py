"""TLS without I/O: converts between the bytes of a connection and the bytes of HTTP."""

from __future__ import annotations

import ssl
from collections.abc import Generator
from typing import TypeVar

import httpx

from taurusdb_starrocks._transport.failures import Fault

T = TypeVar("T")
RECORDS = 64 * 1024  # Bytes per read from the session.
HEADER = 5  # Length of a record header. Its last two bytes are the length of the record.


def default_context() -> ssl.SSLContext:
    """A context with certifi's authorities. Ignores the environment. Takes 20 ms to create."""
    context = httpx.create_ssl_context(trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    return context


class Tls:
    """One TLS session.

    Attributes:
        over: Whether the peer has ended the session.
    """

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._header = b""  # The received part of the next record's header.
        self._missing = 0  # Bytes of the current record that have not arrived.
        self._error: Fault | None = None
        self.over = False
        try:
            self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        except ValueError:
            what = "Could not connect to {peer}: no certificate can be valid for this host name"
            raise Fault(what, lasting=True) from None

    @property
    def clean(self) -> bool:
        """Whether the received bytes end with a complete record and the session is still open."""
        return not (self.over or self._error or self._header or self._missing)

    def handshake(self) -> Generator[bytes, bytes, None]:
        """The handshake. Yields bytes to send; receives bytes (empty: the peer has closed)."""
        while True:
            try:
                self._session.do_handshake()
            except ssl.SSLWantReadError:
                self._receive((yield self._outgoing.read()))
            except ssl.SSLEOFError as error:
                raise Fault(
                    "Could not connect to {peer}: it closed the connection in the TLS handshake"
                ) from error
            except ssl.SSLCertVerificationError as error:
                why = error.verify_message.rstrip(".")
                raise Fault(
                    f"Could not connect to {{peer}}: certificate verify failed: {why}",
                    lasting=True,
                ) from error
            except ssl.SSLError as error:
                raise Fault(
                    f"Could not connect to {{peer}}: TLS handshake failed: {_reason(error)}",
                    lasting=True,
                ) from error
            else:
                return  # Bytes that are left are sent with the first request.

    def carry(self, steps: Generator[bytes, bytes, T]) -> Generator[bytes, bytes, T]:
        """Run steps over TLS."""
        try:
            plain = next(steps)
            while True:
                self._encrypt(plain)
                received = b""
                while not received and not self.over:
                    received = self._decrypt((yield self._outgoing.read()))
                plain = steps.send(received)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _receive(self, data: bytes) -> None:
        if not data:
            self._incoming.write_eof()
            return
        self._incoming.write(data)
        # OpenSSL does not say whether it has an incomplete record, but each record has its length.
        data = self._header + data
        end = self._missing
        while len(data) - end >= HEADER:
            end += HEADER + int.from_bytes(data[end + 3 : end + HEADER])
        self._header = data[end:]
        self._missing = max(0, end - len(data))

    def _encrypt(self, plain: bytes) -> None:
        if self._error:
            raise self._error
        try:
            if plain:
                self._session.write(plain)
        except ssl.SSLError as error:
            raise _broken(error) from error

    def _decrypt(self, data: bytes) -> bytes:
        self._receive(data)
        plain = []
        try:
            while chunk := self._session.read(RECORDS):
                plain.append(chunk)
            self.over = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLEOFError:
            self.over = True  # Without close_notify, like many servers.
        except ssl.SSLError as error:
            fault = _broken(error)
            fault.__cause__ = error
            if not plain:
                raise fault from error
            self._error = fault  # The bytes before this are valid and may be the complete response.
        return b"".join(plain)


def _broken(error: ssl.SSLError) -> Fault:
    # With TLS 1.3, a client learns only now that its certificate was rejected.
    reason = _reason(error)
    return Fault(
        f"The TLS connection to {{peer}} broke: {reason}",
        lasting="certificate" in reason or "unknown ca" in reason,
    )


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "unknown error").replace("_", " ").lower()

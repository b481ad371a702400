"""A private certificate authority for one run of the tests."""

from __future__ import annotations

import ssl

import trustme


class Authority:
    """Vouches for servers on 127.0.0.1, and for clients."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    def server(self, *, ask_client: bool = False, newest: bool = True) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert("127.0.0.1").configure_cert(context)
        if ask_client:
            self._ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        if not newest:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    def client(self, *, known: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._ca.configure_trust(context)
        if known:
            self._ca.issue_cert("client@example.com").configure_cert(context)
        return context

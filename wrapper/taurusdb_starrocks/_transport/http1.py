"""HTTP/1.1 on one connection, with h11 and without I/O."""

from __future__ import annotations

import h11

from taurusdb_starrocks._messages import Reply
from taurusdb_starrocks._transport.body import Body
from taurusdb_starrocks._transport.failures import Fault

LARGEST_HEAD = 100 * 1024  # Bytes. A token in a header can have 32 KB.
MOST_INFORMATIONAL = 20
# Each chunk costs 20 µs, and a megabyte can have a million chunks.
MOST_CHUNKS = 10_000
# Response headers that are not passed on: those that do not match the decoded body, and those that
# an HTTP library would act on, by following a redirect or sending cookies back.
DROPPED = {
    "content-encoding",
    "content-length",
    "transfer-encoding",
    "location",
    "set-cookie",
}


class Conversation:
    """Sends requests and reads responses, one after the other.

    Attributes:
        reusable: Whether another request can follow: no request is in progress, there are no extra
            bytes after the last response, and the server has not announced that it will close.
    """

    def __init__(self) -> None:
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
        self._method = ""
        self._status: int | None = None
        self._headers: dict[str, list[str]] = {}
        self._body = Body("")
        self._chunks = 0
        self._informational = 0
        self.reusable = False

    def ask(
        self, method: str, target: str, headers: list[tuple[str, str]], body: bytes = b""
    ) -> bytes:
        """The bytes of a request.

        Raises:
            Fault: It cannot be sent as HTTP.
        """
        self.reusable = False
        self._method = method
        self._status = None
        self._chunks = self._informational = 0
        machine = self._h11
        try:
            out = machine.send(h11.Request(method=method, target=target, headers=headers))
            if body:
                out += machine.send(h11.Data(data=body))
            machine.send(h11.EndOfMessage())
        except (h11.LocalProtocolError, UnicodeEncodeError):
            pass  # The messages of both contain the value: keep them out of the error's context.
        else:
            return out
        raise Fault(
            "The request to {peer} cannot be sent: its target or a header is malformed",
            lasting=True,
        )

    def hear(self, data: bytes) -> Reply | None:
        """Add received bytes, empty at the end; return the response when it is complete.

        A response to CONNECT is complete after its headers.

        Raises:
            Fault: The response is not HTTP, or it ends too early.
        """
        self._h11.receive_data(data)
        try:
            return self._advance()
        except h11.RemoteProtocolError as error:
            fault = Fault(self._wrong(error, ended=not data))
            error.args = ()  # The messages contain received data, which may repeat a secret.
            raise fault from error

    def _advance(self) -> Reply | None:
        while True:
            event = self._h11.next_event()
            if event is h11.NEED_DATA:
                return None
            if isinstance(event, h11.Data):
                self._chunks += event.chunk_start
                if self._chunks > MOST_CHUNKS:
                    self._body.unread = f"comes in more than {MOST_CHUNKS} chunks"
                if self._body.unread or not self._body.takes(event.data):
                    return self._reply()
            elif isinstance(event, h11.Response):
                self._begin(event)
                if self._method == "CONNECT":
                    return self._reply()
            elif isinstance(event, h11.InformationalResponse):
                self._informational += 1
                if self._informational > MOST_INFORMATIONAL:
                    raise Fault("{peer} sent too many informational responses")
            else:  # h11.EndOfMessage: no other event is possible before the next request.
                return self._reply()

    def _begin(self, head: h11.Response) -> None:
        self._status = head.status_code
        self._headers = {}
        for name, value in head.headers.raw_items():
            values = self._headers.setdefault(name.decode("ascii").lower(), [])
            values.append(value.decode("latin-1"))
        self._body = Body(", ".join(self._headers.get("content-encoding", ())))

    def _reply(self) -> Reply:
        machine = self._h11
        assert self._status is not None
        body = self._body.end()
        if machine.our_state is machine.their_state is h11.DONE and self.silent:
            machine.start_next_cycle()
            self.reusable = True
        return Reply(
            self._status,
            {
                name: ", ".join(values)
                for name, values in self._headers.items()
                if name not in DROPPED
            },
            body,
            self._body.unread,
        )

    @property
    def silent(self) -> bool:
        """Whether there are no extra bytes after the response."""
        return self._h11.trailing_data == (b"", False)

    def _wrong(self, error: h11.RemoteProtocolError, *, ended: bool) -> str:
        if ended:
            return "{peer} closed the connection before a complete response"
        if error.error_status_hint == 431:
            return "The response of {peer} is not HTTP: its headers are too long"
        part = "its body" if self._status else "its status line or a header"
        return f"The response of {{peer}} is not HTTP: {part} is malformed"

"""An httpx transport instead of the network: the documented way to test without a server."""

from __future__ import annotations

import re
import time

import httpx

from taurusdb_starrocks._messages import Reply, Request, Unanswered
from taurusdb_starrocks._transport.body import Body

# Errors that httpx raises only before it sends a request. With any other error, the request may
# have been sent.
BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
# Valid header values.
SENDABLE = re.compile(r"([!-~]([\t -~]*[!-~])?)?").fullmatch


class MockNetwork:
    """Exchanges messages with an httpx transport."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def exchange(self, request: Request, deadline: float) -> Reply:
        """The response of the transport, with the usual limits."""
        seconds = left(request, deadline)
        try:
            response = self._transport.handle_request(httpx_request(request, seconds))
            body = Body(response.headers.get("Content-Encoding", ""))
            try:
                assert isinstance(response.stream, httpx.SyncByteStream)
                for chunk in response.stream:
                    if not body.takes(chunk):
                        break
            finally:
                response.close()
        except httpx.RequestError as error:
            raise unanswered(error, request) from error
        return reply(response, body)

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()


def left(request: Request, deadline: float) -> float:
    """Seconds until a deadline. Raises ``Unanswered`` if it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise Unanswered(f"{request.origin.authority}: the deadline has passed", sent=False)
    return seconds


def httpx_request(request: Request, seconds: float) -> httpx.Request:
    """Convert a request for httpx. Raises ``Unanswered`` if it cannot be sent."""
    # The same error as with the network. The error of httpx would show the value.
    if any(not SENDABLE(value) for value in request.headers.values()):
        what = f"The request to {request.origin.authority} cannot be sent: a header is malformed"
        raise Unanswered(what, sent=False, lasting=True)
    return httpx.Request(
        request.method,
        f"{request.origin}{request.target}",
        headers=dict(request.headers),
        content=request.body or None,
        extensions={"timeout": httpx.Timeout(seconds).as_dict()},
    )


def reply(response: httpx.Response, body: Body) -> Reply:
    """Convert a response of httpx and its body."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    content = body.end()
    return Reply(response.status_code, headers, content, body.unread)


def unanswered(error: httpx.RequestError, request: Request) -> Unanswered:
    """Convert an error of httpx."""
    what = " ".join(str(error).split()).rstrip(".") or "no response"
    return Unanswered(
        f"{request.origin.authority}: {what} ({type(error).__name__})",
        sent=not isinstance(error, BEFORE_SENDING),
    )

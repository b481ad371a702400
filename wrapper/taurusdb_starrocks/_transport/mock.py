"""A transport of httpx in place of the network: the documented way to test without a server."""

from __future__ import annotations

import re
import time

import httpx

from taurusdb_starrocks._messages import Reply, Request, Unanswered
from taurusdb_starrocks._transport.body import Body

# What httpx raises only before a request has left. Of anything else it is presumed that it had.
BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
# What a header can carry.
SENDABLE = re.compile(r"([!-~]([\t -~]*[!-~])?)?").fullmatch


class MockNetwork:
    """Exchanges messages with a transport of httpx."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def exchange(self, request: Request, deadline: float) -> Reply:
        """The transport's response, read within the bounds of any other."""
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
    """Seconds until a deadline; ``Unanswered`` if it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise Unanswered(f"{request.origin.authority}: the deadline has passed", sent=False)
    return seconds


def httpx_request(request: Request, seconds: float) -> httpx.Request:
    """A request of ours as one of httpx; ``Unanswered`` if it could not be sent."""
    # As the network would refuse it; httpx's own error quotes the value.
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
    """A response of httpx, read, as one of ours."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    content = body.end()
    return Reply(response.status_code, headers, content, body.unread)


def unanswered(error: httpx.RequestError, request: Request) -> Unanswered:
    """What becomes of an error of httpx."""
    what = " ".join(str(error).split()).rstrip(".") or "no response"
    return Unanswered(
        f"{request.origin.authority}: {what} ({type(error).__name__})",
        sent=not isinstance(error, BEFORE_SENDING),
    )

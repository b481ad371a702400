"""An httpx transport instead of the network, for coroutines."""

from __future__ import annotations

import asyncio

import httpx

from taurusdb_starrocks._messages import Reply, Request, Unanswered
from taurusdb_starrocks._transport.body import Body
from taurusdb_starrocks._transport.mock import httpx_request, left, reply, unanswered


class AsyncMockNetwork:
    """Exchanges messages with an async httpx transport, until the deadline."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def exchange(self, request: Request, deadline: float) -> Reply:
        """The response of the transport, with the usual limits."""
        seconds = left(request, deadline)
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(request, seconds)
        except TimeoutError as error:
            what = f"{request.origin.authority}: no complete response within {seconds:.3g} s"
            raise Unanswered(what, sent=True) from error

    async def _exchange(self, request: Request, seconds: float) -> Reply:
        try:
            response = await self._transport.handle_async_request(httpx_request(request, seconds))
            body = Body(response.headers.get("Content-Encoding", ""))
            try:
                assert isinstance(response.stream, httpx.AsyncByteStream)
                async for chunk in response.stream:
                    if not body.takes(chunk):
                        break
            finally:
                await response.aclose()
        except httpx.RequestError as error:
            raise unanswered(error, request) from error
        return reply(response, body)

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()

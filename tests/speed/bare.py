"""A bare Starlette route on the uvicorn that the emulator has, with the same settings."""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def pause(request: Request) -> JSONResponse:
    """Read the body, and respond with a job."""
    await request.json()
    return JSONResponse({"job_id": "b1c5f6c0-0000-4000-8000-000000000000"})


def main() -> None:
    """Serve on the port that is given."""
    route = Route(
        "/v3/{project_id}/instances/{instance_id}/starrocks/databases/replication/pause",
        pause,
        methods=["POST"],
    )
    uvicorn.run(
        Starlette(routes=[route]),
        port=int(sys.argv[1]),
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()

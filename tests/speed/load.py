"""Send a call over and over on eight connections, without a client of anybody's; print calls/s."""

import selectors
import socket
import sys
import time

CONNECTIONS = 8
PATH = (
    "/v3/0483b6b16e954cb88930a360d2c4e663/instances/9ac58f9b88744f8a87893d22f6ef9a28in17"
    "/starrocks/databases/replication"
)
BODY = b'{"task_name":"orders_sync"}'


def request(operation: str) -> bytes:
    """The call as it goes over the wire."""
    if operation == "list":
        return f"GET {PATH} HTTP/1.1\r\nHost: e\r\nX-Auth-Token: t\r\n\r\n".encode()
    head = (
        f"POST {PATH}/{operation} HTTP/1.1\r\nHost: e\r\nX-Auth-Token: t\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    return head.encode() + BODY


def whole(received: bytes) -> bool:
    """Whether a response is there; it must be a 200."""
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return False
    assert head.startswith(b"HTTP/1.1 200 "), received
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return len(body) >= int(length)


def main() -> None:
    """Load the port for so many calls: `load.py PORT CALLS OPERATION`."""
    port, calls, call = int(sys.argv[1]), int(sys.argv[2]), request(sys.argv[3])
    selector, received = selectors.DefaultSelector(), {}
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ)
        received[connection] = b""
        connection.sendall(call)
    begun, done = time.perf_counter(), 0
    while done < calls:
        for key, _ in selector.select(10):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            received[connection] += connection.recv(65536)
            if whole(received[connection]):
                received[connection] = b""
                connection.sendall(call)
                done += 1
    sys.stdout.write(f"{calls / (time.perf_counter() - begun):.0f}\n")


if __name__ == "__main__":
    main()

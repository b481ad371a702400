"""A probe: a handwritten request and its allowed responses.

The contract documents 200, 400, 401, 403, 429 and 500. This module explains where other statuses
are allowed. Beyond the contract, only statuses are allowed that HTTP permits for a server or a
router in front of the service, and that reasonable servers use.
"""

from __future__ import annotations

from dataclasses import dataclass

from taurusdb_starrocks_conformance.exchange import Expectation, Request

ACCEPTED = frozenset({200})
MALFORMED = frozenset({400})
# A project, instance or task that does not exist: 400, as in the vendor's example. 403 is
# documented as "no permission, or the resource does not exist".
ABSENT = frozenset({400, 403})
# A token is valid only for its project. For other projects, the gateway returns 401.
FOREIGN = frozenset({400, 401, 403})
UNPROVED = frozenset({401, 403})
# A malformed identifier: 400 from the service; or 404 or 405 from a router that knows the rule and
# does not find the path; or a refusal, because it cannot be a project of the caller.
MALFORMED_PATH = frozenset({400, 401, 403, 404, 405})
# A different path for a router or a server in front: not found, or repaired and redirected.
ANOTHER_PATH = frozenset({301, 302, 307, 308, 400, 401, 403, 404, 405})
# The contract has no 415, but HTTP uses it for a body of another type, and frameworks send it
# before the service gets the request.
ANOTHER_TYPE = frozenset({400, 415})
# RFC 9110 requires 405, or 501 for a method that the server does not know. A router by method
# returns 404, credentials may be checked first, and servers reject TRACE as malformed.
ANOTHER_METHOD = frozenset({400, 401, 403, 404, 405, 501})
TOO_LONG = frozenset({400, 401, 403, 404, 405, 413, 414, 431})
# If JSON or HTTP leave the interpretation open: any documented response except a failure.
EITHER = frozenset({200, 400})
EITHER_TYPE = frozenset({200, 400, 415})
# The status of a framework when it fails.
FAILED = frozenset({500})
TOO_LONG_OR_FINE = frozenset({200, 400, 413})


@dataclass(frozen=True)
class Probe:
    """A request and its allowed responses."""

    request: Request
    expect: Expectation


def probe(
    check: str,
    what: str,
    request: Request,
    allowed: frozenset[int],
    *,
    tolerated: frozenset[int] = frozenset(),
    may_drop: bool = False,
    slip: str = "",
) -> Probe:
    """Create a probe. See `Expectation` for the arguments."""
    return Probe(request, Expectation(check, what, allowed, tolerated, may_drop, slip))

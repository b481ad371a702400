"""A probe: a request made by hand, and what may be answered to it.

The contract documents 200, 400, 401, 403, 429 and 500. Where another status will do, or several,
it stands here why. What is allowed beyond the contract is only what HTTP leaves to a server or a
router in front of the service, and what no reasonable one does otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

from taurusdb_starrocks_conformance.exchange import Expectation, Request

ACCEPTED = frozenset({200})
MALFORMED = frozenset({400})
# A project, instance or task that is not there: 400, as in the vendor's example; 403 is documented
# as "no permission, or absent, which is not told apart".
ABSENT = frozenset({400, 403})
# A token is good for its own project only; elsewhere the gateway answers 401.
FOREIGN = frozenset({400, 401, 403})
UNPROVED = frozenset({401, 403})
# A malformed identifier: the service's 400; or the 404 or 405 of a router that knows the rule and
# so does not find the path; or a refusal because it cannot be a project of the caller's.
MALFORMED_PATH = frozenset({400, 401, 403, 404, 405})
# Another path altogether, to a router or a server in front: not found, or put right and redirected.
ANOTHER_PATH = frozenset({301, 302, 307, 308, 400, 401, 403, 404, 405})
# The contract has no 415, but it is what HTTP has for a body of another type, and frameworks answer
# it before the service sees the request.
ANOTHER_TYPE = frozenset({400, 415})
# RFC 9110 wants 405, or 501 for a method that the server does not know at all; a router by method
# answers 404, credentials may be looked at first, and servers refuse TRACE as malformed.
ANOTHER_METHOD = frozenset({400, 401, 403, 404, 405, 501})
TOO_LONG = frozenset({400, 401, 403, 404, 405, 413, 414, 431})
# Where JSON or HTTP leave it open how something is read: any documented response but a failure.
EITHER = frozenset({200, 400})
EITHER_TYPE = frozenset({200, 400, 415})
# What a framework answers when something goes wrong in it.
FAILED = frozenset({500})
TOO_LONG_OR_FINE = frozenset({200, 400, 413})


@dataclass(frozen=True)
class Probe:
    """A request and what may be answered to it."""

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
    """A probe; see `Expectation` for what is given."""
    return Probe(request, Expectation(check, what, allowed, tolerated, may_drop, slip))

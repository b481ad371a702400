"""Authentication: tokens, request signatures, and the lock after wrong signatures."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import parse_qsl, quote, unquote

from starlette.datastructures import Headers

from .state import State

__all__ = [
    "Authenticator",
    "Caller",
    "SignedRequest",
    "UnauthenticatedError",
    "canonical_request",
    "sign",
]

ALGORITHM = "SDK-HMAC-SHA256"
SKEW = 15 * 60.0
# More failures in a row lock an access key.
FAILURES = 5
LOCK = 5 * 60.0
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Access=([^\s,]+),\s*SignedHeaders=([^\s,]+),\s*Signature=([0-9a-f]{{64}})"
)
_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")


class UnauthenticatedError(Exception):
    """The caller is not authenticated. The message says why."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A caller, their projects, and the projects that the credentials are for."""

    name: str
    projects: Container[str]
    scope: Container[str]


@dataclass(frozen=True, kw_only=True)
class SignedRequest:
    """The parts of a request that a signature covers."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes


def canonical_request(request: SignedRequest, signed_headers: Iterable[str]) -> str:
    """The canonical form of a request, which the signature covers."""
    # The whole path is decoded, as in Huawei Cloud's own signer.
    path = quote(unquote(request.path), safe="/-_.~")
    pairs = [
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in sorted(parse_qsl(request.query, keep_blank_values=True))
    ]
    names = list(signed_headers)
    return "\n".join(
        [
            request.method,
            path if path.endswith("/") else path + "/",
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(
                f"{name}:{','.join(request.headers.getlist(name)).strip()}\n" for name in names
            ),
            ";".join(names),
            sha256(request.body).hexdigest(),
        ]
    )


def sign(canonical: str, *, date: str, secret_key: str) -> str:
    """The signature of a canonical request."""
    text = "\n".join([ALGORITHM, date, sha256(canonical.encode()).hexdigest()])
    return hmac.new(secret_key.encode(), text.encode(), sha256).hexdigest()


class _Everything(Container[str]):
    """All existing projects."""

    def __init__(self, state: State) -> None:
        self._state = state

    def __contains__(self, project_id: object) -> bool:
        return self._state.has_project(project_id)


class Authenticator:
    """Authenticates callers, and issues tokens."""

    def __init__(
        self, state: State, *, token: str, lifetime: float, clock: Callable[[], float]
    ) -> None:
        self._state = state
        self._token = token
        self._lifetime = lifetime
        self._clock = clock

    def caller(self, request: SignedRequest) -> Caller:
        """The caller of a request. If there is a token, the signature is ignored.

        Raises:
            UnauthenticatedError: There is no valid token and no valid signature.
        """
        tokens = request.headers.getlist("x-auth-token")
        if tokens:
            return self._by_token(tokens)
        authorizations = request.headers.getlist("authorization")
        if not authorizations:
            raise UnauthenticatedError("x-auth-token not found")
        parsed = _AUTHORIZATION.fullmatch(", ".join(authorizations))
        if parsed is None:
            raise UnauthenticatedError("Authorization cannot be read")
        return self._by_signature(request, *parsed.groups())

    def issue(self, user_id: int, project_id: str | None) -> tuple[str, float, float]:
        """A new token with its issue time and expiry time. Older tokens stay valid."""
        token = secrets.token_urlsafe(48)
        now = self._clock()
        self._state.add_token(token, user_id, project_id, now + self._lifetime)
        return token, now, now + self._lifetime

    def _by_token(self, tokens: list[str]) -> Caller:
        if len(tokens) > 1:
            raise UnauthenticatedError("more than one x-auth-token")
        if hmac.compare_digest(tokens[0].encode(), self._token.encode()):
            everything = _Everything(self._state)
            return Caller(name="static token", projects=everything, scope=everything)
        issued = self._state.token(tokens[0])
        if issued is None:
            raise UnauthenticatedError("decrypt token fail")
        user_id, project_id, expires_at = issued
        if self._clock() >= expires_at:
            raise UnauthenticatedError("token expired")
        name, projects = self._state.user(user_id)
        scope = frozenset() if project_id is None else frozenset({project_id})
        return Caller(name=name, projects=projects, scope=scope)

    def _by_signature(
        self, request: SignedRequest, access_key: str, signed_headers: str, signature: str
    ) -> Caller:
        key = self._state.key(access_key)
        if key is None:
            raise UnauthenticatedError("verify ak fail, app not found")
        now = self._clock()
        if now < key.locked_until:
            raise UnauthenticatedError("access key is locked")
        reason = self._flaw(request, signed_headers.split(";"))
        if reason is None:
            canonical = canonical_request(request, signed_headers.split(";"))
            date = request.headers["x-sdk-date"]
            right = sign(canonical, date=date, secret_key=key.secret_key)
            session = request.headers.get("x-security-token", "")
            if not hmac.compare_digest(right, signature):
                reason = "verify aksk signature fail"
            elif key.security_token is not None and not hmac.compare_digest(
                key.security_token.encode(), session.encode()
            ):
                reason = "verify security token fail"
        if reason is None:
            if key.failures:
                self._state.note_key(access_key, 0, 0.0)
            return Caller(name=access_key, projects=key.projects, scope=key.projects)
        failures = key.failures + 1
        locks = failures > FAILURES
        self._state.note_key(access_key, 0 if locks else failures, now + LOCK if locks else 0.0)
        raise UnauthenticatedError(reason)

    def _flaw(self, request: SignedRequest, names: list[str]) -> str | None:
        """Why these headers cannot have a valid signature, or None."""
        if names != sorted({name.lower() for name in names}) or "x-sdk-date" not in names:
            return "SignedHeaders cannot be used"
        if any(name not in request.headers for name in names):
            return "a signed header is missing"
        if not _DATE.fullmatch(date := request.headers["x-sdk-date"]):
            return "x-sdk-date cannot be read"
        try:
            signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        except ValueError:
            return "x-sdk-date cannot be read"
        return "x-sdk-date is too far off" if abs(self._clock() - signed_at) > SKEW else None

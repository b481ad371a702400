"""Four right servers, each as its framework wants it written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, unquote

import django
import flask
from django.conf import settings as django_settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponseNotAllowed, JsonResponse
from django.urls import path
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from taurusdb_starrocks_conformance.apps import served

from .rules import MALFORMED, ROUTES, Rules, request_id


def starlette_app(rules: Rules) -> Any:
    """Routes with parameters; JSON by `request.json()`."""

    def endpoint(verb: str) -> Callable[[Request], Any]:
        async def handle(request: Request) -> Response:
            raw = await request.body()
            status, document = rules.answer(
                verb,
                **request.path_params,
                headers=request.headers,
                query=request.query_params,
                body=lambda: json.loads(raw),
            )
            return JSONResponse(document, status, headers=request_id())

        return handle

    return Starlette(
        routes=[
            Route(f"/{template}", endpoint(verb), methods=[method])
            for verb, (method, template) in ROUTES.items()
        ]
    )


def flask_app(rules: Rules) -> Any:
    """URL rules with variables; JSON by `request.get_json()`."""
    app = flask.Flask(__name__)

    def view(verb: str) -> Callable[[str, str], Any]:
        def handle(project: str, instance: str) -> Any:
            status, document = rules.answer(
                verb,
                project,
                instance,
                flask.request.headers,
                flask.request.args,
                body=lambda: flask.request.get_json(force=True),
            )
            return flask.jsonify(document), status, request_id()

        return handle

    @app.errorhandler(400)
    def malformed(error: Any) -> Any:
        return flask.jsonify(MALFORMED[1]), 400, request_id()

    for verb, (method, template) in ROUTES.items():
        rule = "/" + template.replace("{", "<").replace("}", ">")
        app.add_url_rule(rule, verb, view(verb), methods=[method])
    return app


def django_app(rules: Rules) -> Any:
    """URL patterns with converters; JSON by `json.loads(request.body)`."""

    def view(verb: str) -> Callable[..., Any]:
        def handle(request: HttpRequest, project: str, instance: str) -> Any:
            if request.method != ROUTES[verb][0]:
                return HttpResponseNotAllowed([ROUTES[verb][0]])
            status, document = rules.answer(
                verb,
                project,
                instance,
                request.headers,
                request.GET,
                body=lambda: json.loads(request.body),
            )
            return JsonResponse(document, status=status, headers=request_id())

        return handle

    class Urls:
        urlpatterns = [
            path(template.replace("{", "<str:").replace("}", ">"), view(verb))
            for verb, (_, template) in ROUTES.items()
        ]

    if not django_settings.configured:
        django_settings.configure(
            ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=Urls, LOGGING_CONFIG=None, MIDDLEWARE=[]
        )
        django.setup()
    # Each server of this process has routes of its own.
    django.urls.clear_url_caches()
    django_settings.ROOT_URLCONF = Urls
    return get_wsgi_application()


class Handler(BaseHTTPRequestHandler):
    """`http.server` routes nothing and decodes nothing."""

    protocol_version = "HTTP/1.1"
    rules: Rules

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target, _, query = self.path.partition("?")
        found = next(
            (
                (verb, method, match)
                for verb, (method, template) in ROUTES.items()
                if (match := re.fullmatch("/" + re.sub("{.*?}", "([^/]+)", template), target))
            ),
            None,
        )
        if found is None:
            self.reply(404, {"error_code": "APIGW.0101", "error_msg": "No such API"}, {})
            return
        verb, method, match = found
        if self.command != method:
            self.reply(405, {}, {"Allow": method})
            return
        answer = self.rules.answer(
            verb,
            unquote(match[1]),
            unquote(match[2]),
            self.headers,
            dict(parse_qsl(query, keep_blank_values=True)),
            lambda: json.loads(body),
        )
        self.reply(*answer, {})

    def reply(self, status: int, document: Any, headers: dict[str, str]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**headers, **request_id(), "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Nothing is logged."""


for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
    setattr(Handler, f"do_{name}", Handler.handle_any)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that ends early is part of the tests."""


@contextmanager
def http_server(rules: Rules) -> Iterator[str]:
    """`http.server`; its URL."""
    handler = type("OwnHandler", (Handler,), {"rules": rules})
    server = Server(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


SERVERS: dict[str, Callable[[Rules], Any]] = {
    "Starlette": lambda rules: served(starlette_app(rules)),
    "Flask": lambda rules: served(flask_app(rules)),
    "Django": lambda rules: served(django_app(rules)),
    "http.server": http_server,
}

"""The page of a running study on 127.0.0.1, renewed as trials arrive."""

import errno
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from threading import Thread
from typing import Any

from search.errors import UserError
from search.report.live import LiveStudy

_HOST = "127.0.0.1"
# The study's page lies in a frame, so that it is the very file that the search leaves.
_FRAME = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>convbudget: running study</title>
<link rel="stylesheet" href="/live.css"><script src="/live.js" defer></script></head>
<body><p id="state" role="status">reading</p><iframe id="page" title="study" src="/front.html">
</iframe></body></html>
"""
_ASSETS = {"/live.js": "text/javascript", "/live.css": "text/css"}


@contextmanager
def serving(live: LiveStudy, port: int) -> Iterator[str]:
    """Serve the study's page until the block ends; yields its address.

    Port 0 takes any that is free. Only this machine can reach it. Raises `UserError` for a port
    that is in use or not allowed.
    """
    try:
        server = _Server((_HOST, port), _Handler)
    except (OSError, OverflowError) as error:
        used = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = "in use" if used else "not one that can be opened"
        raise UserError(
            f"port {port} is {reason}; give another, or --serve 0 for any that is free"
        ) from None
    server.live = live
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"http://{_HOST}:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    live: LiveStudy
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing where a browser went away before it had all of the page."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        # A page elsewhere could reach this address under a name of its own (DNS rebinding).
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host not in (_HOST, "localhost"):
            self._answer(403, "text/plain", "only for this machine")
            return
        try:
            match self.path:
                case "/":
                    self._answer(200, "text/html", _FRAME)
                case "/front.html":
                    self._answer(200, "text/html", self.server.live.html())
                case "/state":
                    self._answer(200, "application/json", self._state())
                case "/live.js" | "/live.css":
                    self._answer(200, _ASSETS[self.path], _asset(self.path[1:]))
                case _:
                    self._answer(404, "text/plain", "there are /, /front.html and /state")
        except UserError as error:
            self._answer(503, "text/plain", str(error))

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002
        """Say nothing: the terminal belongs to the user."""

    def _state(self) -> str:
        view = self.server.live.view()
        return json.dumps(
            {"stamp": self.server.live.stamp, "trials": len(view.trials), "writer": view.writer}
        )

    def _answer(self, code: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if self.path == "/":
            self.send_header("Content-Security-Policy", "default-src 'self'")
        self.end_headers()
        self.wfile.write(body)


def _asset(name: str) -> str:
    return (files("search.report") / "assets" / name).read_text(encoding="utf-8")

"""Handlers behind a small HTTP server on loopback, so that a browser meets them without a cloud."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.support.attendee_client import Handler, LambdaContext, api_event, read_answer


@contextmanager
def serve(handlers: Mapping[str, Handler]) -> Iterator[str]:
    """Serve each handler under its path prefix ("" takes the rest) and yield the address, without a slash.

    Requests are answered one at a time: moto's account is one for all. The address says `localhost`, which browsers
    trust enough to keep cookies marked Secure.
    """
    one_at_a_time = threading.Lock()

    class Adapter(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path
            prefix = max((one for one in handlers if path == one or path.startswith(f"{one}/")), key=len)
            event = api_event(self.command, self.path, body, source="127.0.0.1", headers=dict(self.headers.items()))
            with one_at_a_time:
                answered = read_answer(handlers[prefix](event, LambdaContext()))
            self.send_response(answered.status)
            for name, value in answered.headers.items():
                self.send_header(name, value)
            for cookie in answered.cookies:
                self.send_header("Set-Cookie", cookie)
            self.send_header("Content-Length", str(len(answered.body)))
            self.end_headers()
            self.wfile.write(answered.body)

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
        setattr(Adapter, f"do_{method}", Adapter.answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Adapter)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()

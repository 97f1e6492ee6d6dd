"""A token server on loopback, to which google-auth sends its requests over real HTTP."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import parse_qs


class TokenServer(ThreadingHTTPServer):
    """Issues the tokens `<prefix>-1`, `<prefix>-2` and so on. It is also a metadata server and an HTTP proxy.

    Attributes:
        context: A TLS context; without one, the server speaks plain HTTP.
        refusing: Whether the server answers with an error that repeats the request.
        page: Status and HTML text to answer with, or `None`.
        stall: Makes answers endless. `silence` sends nothing; `headers` or `body` sends endless headers or body bytes.
        seconds: Time before each answer to a POST.
        forms: The form fields of each POST.
        paths, headers: Path and headers of each request.
    """

    daemon_threads = True

    def __init__(self, prefix, context=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scheme = "https" if context else "http"
        self.context = context
        self.tokens = (f"{prefix}-{number}" for number in count(1))
        self.refusing = False
        self.page = None
        self.stall = None
        self.seconds = 0
        self.forms, self.paths, self.headers = [], [], []
        self.ended = threading.Event()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server_port}/token"

    def finish_request(self, request, client_address):
        if self.context is not None:
            with self.context.wrap_socket(request, server_side=True) as wrapped:
                super().finish_request(wrapped, client_address)
        else:
            super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        """Ignore clients that hang up or have no certificate."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._record()
        if self.server.stall:
            return self._drip()
        path = self.path.partition("?")[0]
        if path.endswith("/token"):
            return self._reply(200, self._token())
        if "/service-accounts/" in path:
            return self._reply(200, {"email": "robot@p.iam.gserviceaccount.com", "scopes": [], "aliases": []})
        if path.endswith("/project-id"):
            return self._reply(200, b"metadata-project", "text/plain")
        if "/projects/" in path:
            return self._reply(200, {"projectId": "their-project"})
        return self._reply(200, b"", "text/plain")

    def do_POST(self):
        time.sleep(self.server.seconds)
        sent = self.rfile.read(int(self.headers["content-length"])).decode()
        self._record()
        self.server.forms.append({name: values[0] for name, values in parse_qs(sent).items()})
        if self.server.stall:
            self._drip()
        elif self.server.page:
            status, text = self.server.page
            self._reply(status, text.encode(), "text/html")
        elif self.server.refusing:
            self._reply(400, {"error": "invalid_grant", "error_description": f"Bad: {sent} {self.server.forms[-1]}"})
        elif self.path.endswith(":generateAccessToken"):
            self._reply(200, {"accessToken": next(self.server.tokens), "expireTime": "2100-01-01T00:00:00Z"})
        else:
            self._reply(200, self._token())

    def _record(self):
        self.server.paths.append(self.path)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})

    def _token(self):
        kind = "urn:ietf:params:oauth:token-type:access_token"
        token = {"access_token": next(self.server.tokens), "expires_in": 3600, "token_type": "Bearer"}
        return {**token, "issued_token_type": kind}

    def _drip(self):
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n"
        begin = {"silence": b"", "headers": head + b"x-slow: ", "body": head + b"\r\n"}[self.server.stall]
        try:
            self.wfile.write(begin)
            while not self.server.ended.wait(0.05):
                if self.server.stall != "silence":
                    self.wfile.write(b"a")
        except OSError:
            pass
        self.close_connection = True

    def _reply(self, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("metadata-flavor", "Google")
        self.send_header("location", getattr(self.server, "location", "https://login.example/?canary"))
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@contextmanager
def serve_tokens(prefix, context=None):
    with TokenServer(prefix, context) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.ended.set()
        server.shutdown()
        thread.join()

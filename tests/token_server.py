"""Google's token server on loopback, for google-auth to talk to over real HTTP; what it is sent is kept."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import parse_qs


class TokenServer(ThreadingHTTPServer):
    """Gives `<prefix>-1`, `<prefix>-2` and so on; when it is `refusing`, an error that repeats what it was sent.

    With a `page`, a status and a text, it answers with that.
    """

    daemon_threads = True

    def __init__(self, prefix):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tokens = (f"{prefix}-{number}" for number in count(1))
        self.refusing = False
        self.page = None
        #: Fields of the forms that came.
        self.forms = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/token"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        time.sleep(getattr(self.server, "seconds", 0))
        sent = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.forms.append({name: values[0] for name, values in parse_qs(sent).items()})
        if self.server.page:
            status, text = self.server.page
            self._reply(status, text.encode(), "text/html")
        elif self.server.refusing:
            self._reply(400, {"error": "invalid_grant", "error_description": f"Bad: {sent} {self.server.forms[-1]}"})
        else:
            self._reply(200, {"access_token": next(self.server.tokens), "expires_in": 3600, "token_type": "Bearer"})

    def _reply(self, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("location", "https://login.example/?canary")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@contextmanager
def serve_tokens(prefix):
    with TokenServer(prefix) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()

"""A server on loopback that records its connections, and the headers of the requests on each of them."""

import json
import threading
from contextlib import contextmanager, suppress

from loopback import listen
from wire import chunk, completion

_HEAD = b"HTTP/1.1 200 OK\r\nset-cookie: session=of-another-caller; Path=/\r\ncontent-type: "
_EVENTS = [b"data: %b\n\n" % json.dumps(chunk(content=text)).encode() for text in ("one ", "two")]
_END = b"data: %b\n\ndata: [DONE]\n\n" % json.dumps(chunk(finish="stop")).encode()


class Connection:
    """The connection of one client."""

    def __init__(self):
        #: The headers of each request. Their names are in lower case.
        self.requests = []
        self.is_closed = threading.Event()


class ConnectionServer:
    """Answers each request. A stream stops after its first event until `go_on` is set."""

    def __init__(self):
        self.url = ""
        self.connections = []
        self.go_on = threading.Event()

    def values_of(self, header):
        """Return the values of `header` in the requests of each connection, as one set for each connection."""
        return [{request.get(header) for request in connection.requests} for connection in self.connections]

    def serve(self, client):
        """Answer the requests of a connection."""
        connection = Connection()
        self.connections.append(connection)
        with client, client.makefile("rb") as file, suppress(OSError):
            while request := _read_request(file):
                headers, body = request
                connection.requests.append(headers)
                self._answer(client, is_stream=b'"stream":true' in body.replace(b" ", b""))
        connection.is_closed.set()

    def _answer(self, client, *, is_stream):
        if not is_stream:
            body = json.dumps(completion()).encode()
            client.sendall(_HEAD + b"application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            return
        client.sendall(_HEAD + b"text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" + _frame(_EVENTS[0]))
        assert self.go_on.wait(60)
        client.sendall(_frame(_EVENTS[1]) + _frame(_END) + b"0\r\n\r\n")


def _frame(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def _read_request(file):
    """Return the headers and the body of the next request, or `None` if the connection has no more requests."""
    lines = []
    while line := file.readline().strip():
        lines.append(line.decode())
    if not lines:
        return None
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return headers, file.read(int(headers["content-length"]))


@contextmanager
def serve():
    """Yield a running `ConnectionServer`."""
    server = ConnectionServer()
    with listen(server.serve) as place:
        server.url = f"http://{place}/v1"
        try:
            yield server
        finally:
            server.go_on.set()

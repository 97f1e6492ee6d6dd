"""A server on loopback that records when its clients close their connections. It uses a thread per connection."""

import json
import queue
import time
from contextlib import contextmanager

from loopback import listen

#: The event that the server sends in its streams.
EVENT = {"id": "r", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "word "}}]}
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Connection:
    """The connection of one client."""

    def __init__(self):
        self._times = queue.Queue()

    def hang_up(self):
        self._times.put(time.monotonic())

    def hung_up_at(self, patience):
        """Return the time of the monotonic clock at which the client closed the connection.

        Return `None` if the connection is still open after `patience` seconds.
        """
        try:
            return self._times.get(timeout=patience)
        except queue.Empty:
            return None


class WatchfulServer:
    """Answers each request by its `behaviour`.

    `stream` sends one event and then nothing, `flood` sends events without end, `silence` sends nothing, and `busy`
    answers 503.
    """

    def __init__(self, behaviour):
        self._behaviour = behaviour
        self.url = ""
        #: The connection of each request, in the order of the requests.
        self.requests = queue.Queue()

    def serve(self, client):
        """Answer the requests of a connection."""
        connection = Connection()
        with client, client.makefile("rb") as file:
            try:
                while read_request(file):
                    self.requests.put(connection)
                    self._answer(client)
            except OSError:
                pass
            connection.hang_up()

    def _answer(self, client):
        data = b"data: %b\n\n" % json.dumps(EVENT).encode()
        framed = b"%x\r\n%b\r\n" % (len(data), data)
        if self._behaviour == "busy":
            client.sendall(_BUSY)
        elif self._behaviour != "silence":
            client.sendall(_STREAM + framed)
        while self._behaviour == "flood":
            time.sleep(0.002)
            client.sendall(framed)


def read_request(file):
    """Read a request and return whether there was one."""
    length = 0
    while line := file.readline().strip().lower():
        name, _, value = line.partition(b":")
        length = int(value) if name == b"content-length" else length
    return bool(file.read(length))


@contextmanager
def start(behaviour):
    """Yield a running `WatchfulServer`."""
    server = WatchfulServer(behaviour)
    with listen(server.serve) as place:
        server.url = f"http://{place}/v1"
        yield server

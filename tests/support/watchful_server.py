"""A server on loopback that records when its clients close their connections. It uses a thread per connection."""

import json
import queue
import socket
import threading
import time
from contextlib import closing, contextmanager
from itertools import count

#: An event of a stream, and a stream that never ends.
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
        """Return when the client closed the connection, by the monotonic clock, or `None` after `patience` seconds."""
        try:
            return self._times.get(timeout=patience)
        except queue.Empty:
            return None


class WatchfulServer:
    """Answers each request by its `behaviour`.

    `stream` sends one event and then nothing, `flood` sends events without end, `silence` sends nothing, and `busy`
    answers 503.
    """

    def __init__(self, listener, behaviour):
        self._listener, self._behaviour = listener, behaviour
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        #: The connection of each request.
        self.requests = queue.Queue()

    def run(self):
        for number in count():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), name=f"client {number}", daemon=True).start()

    def _serve(self, client):
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
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        server = WatchfulServer(listener, behaviour)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        yield server
        # Wake the thread that accepts connections.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()

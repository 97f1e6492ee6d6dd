"""A server on loopback that notes when its clients hang up, to the millisecond: one thread for each connection."""

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
    """One client: `hung_up_at` is when it did, by the monotonic clock, or `None` when it does not within `patience`."""

    def __init__(self):
        self._times = queue.Queue()

    def hang_up(self):
        self._times.put(time.monotonic())

    def hung_up_at(self, patience):
        try:
            return self._times.get(timeout=patience)
        except queue.Empty:
            return None


class WatchfulServer:
    """What the server does with a request is said by `manner`: one event and silence (`stream`), events without end
    (`flood`), nothing (`silence`), or 503 (`busy`).
    """

    def __init__(self, listener, manner):
        self._listener, self._manner = listener, manner
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
        if self._manner == "busy":
            client.sendall(_BUSY)
        elif self._manner != "silence":
            client.sendall(_STREAM + framed)
        while self._manner == "flood":
            time.sleep(0.002)
            client.sendall(framed)


def read_request(file):
    """Whether there was one."""
    length = 0
    while line := file.readline().strip().lower():
        name, _, value = line.partition(b":")
        length = int(value) if name == b"content-length" else length
    return bool(file.read(length))


@contextmanager
def start(manner):
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        server = WatchfulServer(listener, manner)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        yield server
        # Wakes the thread that accepts.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()

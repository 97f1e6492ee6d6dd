"""A small HTTP/2 server over TLS on loopback. The path of a request selects the answer. Needs `h2` and `trustme`."""

import asyncio
import json
import ssl
import threading
from contextlib import contextmanager

import h2.config
import h2.connection
import h2.events
import trustme
from wire import completion

BODY = json.dumps(completion("Hello.")).encode()
EVENT = b'data: {"id": "r", "model": "m", "choices": [{"index": 0, "delta": {"content": "word "}}]}\n\n'
LAST = b'data: {"id": "r", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


#: The transports of open connections.
OPEN = set()


class _Connection(asyncio.Protocol):
    """Answers by path.

    `/answer` replies at once. `/slowly` sends events at intervals of 0.1 s until the test sets `finish`. `/silence` sends
    nothing, `/mute` sends one event, `/many` sends 60 events, and `/flood` sends without end.
    """

    def __init__(self, counts, finish):
        self.counts, self.finish = counts, finish
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.paths, self.tasks = {}, set()

    def connection_made(self, transport):
        self.transport = transport
        OPEN.add(transport)
        self.counts["connections"] += 1
        self.h2.initiate_connection()
        self._flush()

    def connection_lost(self, error):
        OPEN.discard(self.transport)
        # Without `abort`, Python 3.10 warns about a TLS transport that only the client has closed.
        self.transport.abort()
        for task in self.tasks:
            task.cancel()

    def data_received(self, data):
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                self.paths[event.stream_id] = dict(event.headers)[":path"]
            elif isinstance(event, h2.events.DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.tasks.add(asyncio.create_task(self._answer(event.stream_id, self.paths[event.stream_id])))
        self._flush()

    def _flush(self):
        self.transport.write(self.h2.data_to_send())

    def _send(self, stream, data, *, end=False):
        self.h2.send_data(stream, data, end_stream=end)
        self._flush()

    async def _answer(self, stream, path):
        self.counts["requests"] += 1
        way = path.split("/")[1]
        if way == "silence":
            return
        kind = "application/json" if way == "answer" else "text/event-stream"
        self.h2.send_headers(stream, [(":status", "200"), ("content-type", kind)])
        if way == "answer":
            self._send(stream, BODY, end=True)
            return
        for _ in range(60 if way == "many" else 1):
            self._send(stream, EVENT)
        while way == "slowly" and not self.finish.is_set():
            await asyncio.sleep(0.1)
            self._send(stream, EVENT)
        while way == "flood":
            if self.h2.local_flow_control_window(stream) >= 2**14:
                self._send(stream, b": " + b"x" * (2**14 - 4) + b"\n\n")
            await asyncio.sleep(0.001)
        if way == "slowly":
            self._send(stream, LAST, end=True)


@contextmanager
def start():
    """Run a server, and yield what a test needs to use it.

    - the URL of the server
    - an SSL context that trusts the server
    - the numbers of connections and requests
    - a `threading.Event` that ends the streams of `/slowly`
    """
    authority = trustme.CA()
    theirs, ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    theirs.set_alpn_protocols(["h2"])
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(ours)
    counts, finish = {"connections": 0, "requests": 0}, threading.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    serving = loop.create_server(lambda: _Connection(counts, finish), "127.0.0.1", 0, ssl=theirs)
    server = asyncio.run_coroutine_threadsafe(serving, loop).result(30)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", ours, counts, finish
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result(90)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(server):
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for transport in list(OPEN):
        transport.abort()
    # Wait up to 30 seconds until all transports are closed. An open transport would make a later test fail with a
    # warning.
    for _ in range(3_000):
        if not OPEN:
            return
        await asyncio.sleep(0.01)

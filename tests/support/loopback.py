"""Accepts connections on loopback. The servers of the tests answer them."""

import socket
import threading
from contextlib import contextmanager, suppress
from itertools import count


def _accept_all(listener, serve):
    for number in count():
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(client,), name=f"client {number}", daemon=True).start()


@contextmanager
def listen(serve):
    """Call `serve` with each connection, in a thread of its own. Yield host and port."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        thread = threading.Thread(target=_accept_all, args=(listener, serve), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            # A shutdown ends `accept` in the other thread. Closing the listener alone would not end it.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(60)

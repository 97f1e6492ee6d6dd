"""A server on loopback that answers each connection with a function. It uses a thread per connection."""

from contextlib import contextmanager, suppress

from loopback import listen

#: The HTTP head of a streamed response, and an event.
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_EVENT = b'data: {"id":"r","model":"m","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'


def chunk(data=_EVENT):
    """Return `data` as an HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def answer_with(data):
    """Return a function for `start` that sends `data`."""
    return lambda connection: connection.sendall(data)


@contextmanager
def start(answer, *, tls=None, read=True):
    """Yield the address of the server, and the sockets of its connections.

    Args:
        answer: A function that is called with each connection. When it returns, the server closes the connection.
        tls: The SSL context of the server.
        read: Whether the server reads the first bytes of a request before it calls `answer`.
    """
    seen = []

    def serve(connection):
        seen.append(connection)
        with suppress(OSError), connection:
            wrapped = tls.wrap_socket(connection, server_side=True) if tls else connection
            if read:
                wrapped.recv(65536)
            answer(wrapped)
            wrapped.close()

    with listen(serve) as place:
        yield place, seen

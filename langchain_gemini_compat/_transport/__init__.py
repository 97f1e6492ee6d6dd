"""HTTP: clients, request bodies, replies as JSON, deadlines, retries, and errors of the server and the network.

It may import _catalog, errors and _wire.
"""

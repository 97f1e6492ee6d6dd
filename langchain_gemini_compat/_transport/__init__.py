"""HTTP: clients, requests, replies as JSON, deadlines, retries, and errors of server and network.

It may import _catalog, errors and _wire.
"""

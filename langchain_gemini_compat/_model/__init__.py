"""Parts of the public classes: the connection, a call with its retries, bound models, and structured output.

This package may import _auth, _catalog, _errors, errors, _request, _response, _schema, _settings, _transport and _wire.
"""

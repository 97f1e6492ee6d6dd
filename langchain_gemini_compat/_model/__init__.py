"""What the public classes are built from: connection, one call with its retries, bound models, structured output.

This package may import _auth, _catalog, _errors, errors, _request, _response, _schema, _settings, _transport and _wire.
"""

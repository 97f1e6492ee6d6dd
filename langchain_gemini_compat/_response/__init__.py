"""The chunks of a reply to LangChain messages and events.

It may import _signatures, _transport (types), _schema, _catalog, errors and _wire.
"""

"""LangChain messages, tools and options to the body of a request.

It may import _signatures, _schema, _catalog, errors and _wire.
"""

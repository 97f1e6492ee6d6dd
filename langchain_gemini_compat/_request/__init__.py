"""Builds the body of a request from LangChain's messages, tools and options.

The package may import `_signatures`, `_schema`, `_catalog`, `errors` and `_wire`.
"""

"""Turns the chunks of a reply into LangChain messages and events.

This package may import `_signatures`, `_transport` (types only), `_schema`, `_catalog`, `errors` and `_wire`.
"""

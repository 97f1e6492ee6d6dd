"""Sends requests over HTTP, reads the replies, enforces time limits, retries calls, and translates errors.

This package may import `_catalog`, `errors` and `_wire`.
"""

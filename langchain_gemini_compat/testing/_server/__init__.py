"""Requests to answers, in the process or over HTTP on loopback.

It may import `_render`, `_rules` and `_model`.
"""

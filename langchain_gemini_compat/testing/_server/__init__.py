"""Answer requests, in process or over HTTP on 127.0.0.1.

This package may import `_render`, `_rules` and `_model`.
"""

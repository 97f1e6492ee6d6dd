"""The JSON of the API: its types, parsing, media types, unknown fields and notes about changes.

It may import nothing of this package.
"""

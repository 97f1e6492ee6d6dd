"""The JSON of the API: its types, media, text encodings and unknown fields.

It may import nothing of this package.
"""

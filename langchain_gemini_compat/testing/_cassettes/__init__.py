"""Cassettes: exchanges of a program in a YAML file without secrets, and their replay without a network.

`docs/how-to/record-cassettes.md` describes the layout.
"""

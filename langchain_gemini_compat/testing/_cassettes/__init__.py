"""Cassettes: exchanges of a program in a YAML file without secrets, and their replay without a network.

`README.md` in the folder `cassettes` of the repository describes the layout.
"""

"""The probes of the command `verify`. A probe checks one claim of this package against a server.

The module `probes` lists all probes, `lab` sends their requests, and `runner` runs the probes in order.
"""

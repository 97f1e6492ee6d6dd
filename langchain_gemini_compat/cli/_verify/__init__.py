"""The probes of the command `verify`. A probe checks one claim of this package against a server.

`probes` lists all of them. `lab` sends their requests, and `runner` runs them in order.
"""

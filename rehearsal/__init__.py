"""A whole site on one machine, on real parts: the exit's test bench.

Law: builds, runs and removes the site; it may use every room below, and nothing of the exit depends on it.
"""

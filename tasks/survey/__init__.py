"""Enumerates what exists: one file an AWS service or cluster API group.

Law: reads only, through ports; every enumeration reports its coverage, and a denied or failed one never looks
empty.
"""

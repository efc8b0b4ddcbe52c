"""Captures, schedules, the load engine, its records and figures.

Law: nothing is parsed in the hot loop, nothing is dropped silently, and a run whose generator was late is
invalid, neither pass nor fail.
"""

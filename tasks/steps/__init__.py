"""The only place that opens drivers, calls the rooms and records what came of it.

Law: thin; no parsing, no statistics, no policy in here.
"""

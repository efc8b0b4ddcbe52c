"""Plans changes: one file a subject, plan(fact, desired) -> changes.

Law: plans are pure and empty where fact and desired agree; only `apply` acts, through a Host. A floor never
lowers a higher value.
"""

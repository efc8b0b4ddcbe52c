"""Statistics and policy: rounds and findings -> verdict -> decision.

Law: pure; no clock, no network. Inconclusive and no data are never a pass.
"""

"""The audit trail: append, checkpoint, verify, export.

Law: called by steps and flows only; knows nothing of migrations. An entry is durable before `append` returns.
"""

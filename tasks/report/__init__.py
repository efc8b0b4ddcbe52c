"""Turns what the stages left into report.json and one self-contained report.html.

Law: renders only what was recorded; computes no verdict and fetches nothing. Only `write` and what it stands
on draw: who wants the model alone does not load a plotting library.
"""

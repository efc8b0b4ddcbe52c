"""Turns what the stages left into report.json and one self-contained report.html.

Law: renders only what was recorded; computes no verdict and fetches nothing.
"""

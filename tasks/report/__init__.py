"""Turns what the stages left into report.json and one self-contained report.html, and a load run into a page.

Law: renders only what was recorded; computes no verdict and fetches nothing. Only `write`, `load` and
what they stand on draw: who wants the model alone does not load a plotting library.
"""

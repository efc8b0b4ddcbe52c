"""What exists and what should exist.

Law: pure. Models, the loader of site files, and the comparison of declared with found. No network, no
clock, no subprocess, no Prefect; files are read by `inventory.load` alone.
"""

"""Copies images, objects, databases and buckets, and proves the copy.

Law: a skipped or differing item is an error, never a success; a second run copies only what differs.
"""

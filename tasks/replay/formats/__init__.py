"""Capture formats, one file each: bytes -> entries, pure but for the stream that is read.

Law: a format reads one stream from front to back and holds one entry at a time (HAR, one JSON document,
excepted and bounded); what is broken is yielded with its number, never raised and never left out; nothing
of a secret is judged here, the selection takes them out.
"""

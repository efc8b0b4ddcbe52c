"""The report's pictures: one file a subject, each gives an SVG text for the page, or "" without its data.

Law: a picture draws recorded values only. Its colours are the page's (see `drawing`), so that it follows
light and dark, and a difference is never told by colour alone.
"""

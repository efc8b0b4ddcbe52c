"""The fault matrix: faults of a data plane, put into a rehearsal site one at a time, and what finds them.

Law: a fault is a file in `faults/` and acts on the site's own machines and cluster only; whatever happens,
it is undone, and its undo may be run where nothing is there to undo. The checks are the exit's, unchanged.
"""

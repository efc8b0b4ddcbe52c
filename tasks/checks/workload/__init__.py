"""Whether the source's objects are fit to move.

Law: a finding blocks only in the namespaces that move; of the others it warns, all in one finding.
"""

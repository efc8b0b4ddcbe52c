"""What is true on a host: one file a subject, the command to run and a pure parse of its output.

Law: no I/O in here; an output that cannot be understood raises, it is never taken as absent.
"""

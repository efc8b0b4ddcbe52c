"""What is true on a host: one file a subject, the command to run and a pure parse of its output.

Law: nothing is opened in here; `gather` alone asks a Host that it is given. An output that makes no sense
raises, it is never taken as absent.
"""

"""The only code that talks to the outside.

Law: one file a system; `ports` holds the Protocols that the other rooms see. A driver translates its
library's exceptions into those of `errors` and decides nothing about the migration.
"""

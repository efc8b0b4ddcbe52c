"""Where the data lies, who reads its changes, and who answers for the shop's name.

Law: what was observed and how, never a legal conclusion; what could not be seen is not a pass.
"""

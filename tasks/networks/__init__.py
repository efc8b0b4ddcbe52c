"""One module a pod network; `contract` is all that they share.

Law: a network plans changes and refuses an impossible environment when it is made; it opens nothing itself.
"""

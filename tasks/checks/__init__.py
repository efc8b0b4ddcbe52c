"""One file a check, its stable code in it; a check is registered by being there.

Law: a check observes through the ports of its context and returns findings with evidence and a remedy. It
leaves nothing changed (one that writes while it runs says so, see `registry.Check`), and it says `nodata` or
`error` where it could not see; it never says `pass` for what it did not observe.
"""

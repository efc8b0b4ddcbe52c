"""The project beside its peers, one file a subject; ratios come from one run with the peer."""

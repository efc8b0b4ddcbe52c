"""A bed for kube-proxy alone: a real API server, and nodes and pods that are network namespaces.

Each node has a kube-proxy of its own mode, a client pod and backend pods on plain routes: the paths differ by
the kube-proxy and by nothing else. All is named `shb-`; nothing is made in the machine's own namespace.
"""

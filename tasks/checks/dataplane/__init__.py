"""The target's pod network: every line of the list of what must be true after it was stood up.

Codes: DP the node, FL flannel, KP kube-proxy, PATH the paths, CT connection tracking. That a node is
a KVM machine is judged where nodes are admitted, not again here.
"""

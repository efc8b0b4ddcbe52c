"""What Kubespray asserts and kubeadm's preflight asks, where `admission` does not ask it already."""

"""Is the cluster itself sound: its certificates, versions, etcd, way in, and the kubelets' settings?"""

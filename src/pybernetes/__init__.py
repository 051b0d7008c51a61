"""Pybernetes: Kubernetes in Python, with flannel as its pod network."""

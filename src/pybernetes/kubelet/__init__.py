"""Pods on a node: CRI, probes, volumes, resources, logs and exec, node status."""

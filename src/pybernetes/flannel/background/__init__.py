"""Checks that run independently of reconcile passes: reachability, path MTU, checksum offload, foreign SNAT rules."""

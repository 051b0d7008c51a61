"""Liveness, readiness and startup probes: one check (I/O), thresholds (pure), and the tasks that run them."""

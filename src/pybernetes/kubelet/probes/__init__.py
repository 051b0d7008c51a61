"""Liveness, readiness and startup probes: checks (I/O), state machine (pure), and tasks."""

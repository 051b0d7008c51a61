"""Containers' logs: the CRI format (pure), reading and following, rotation."""

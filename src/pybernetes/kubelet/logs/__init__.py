"""Containers' logs: the CRI format, reading and following, rotation."""

"""Volumes of pods. `plugin.py` is the contract of a kind of volume; `kinds.py` lists all kinds."""

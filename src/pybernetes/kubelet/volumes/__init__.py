"""A pod's volumes. `plugin.py` is the contract of a kind, `kinds.py` the list of all kinds, one file each."""

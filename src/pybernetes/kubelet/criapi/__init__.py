"""Messages of the Container Runtime Interface and of containerd's events; `regenerate.py` makes the modules."""

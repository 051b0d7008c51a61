"""One file per filter plugin; the order is in `scheduler/plugins.py`."""

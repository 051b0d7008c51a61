"""One file per score plugin; weights and order are in `scheduler/plugins.py`."""

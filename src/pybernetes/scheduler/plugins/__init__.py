"""One file per plugin, named like the plugin; `scheduler/registry.py` lists them."""

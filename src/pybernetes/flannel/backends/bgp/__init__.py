"""The bgp backend's BIRD: its configuration, its process, what it learned."""

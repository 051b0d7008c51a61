"""The pod network across nodes (flanneld)."""

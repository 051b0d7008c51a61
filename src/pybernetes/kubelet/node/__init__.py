"""The Node object: what the machine has, how it is, that it lives."""

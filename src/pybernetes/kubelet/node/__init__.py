"""The Node object and its lease: capacity, conditions, heartbeats."""

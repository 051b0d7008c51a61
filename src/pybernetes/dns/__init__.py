"""Names for Services and Pods."""

"""HTTP in front of the store: one module per stage of a request."""

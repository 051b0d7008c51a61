"""A simulated node: its pods exist in memory only. For scale tests and unit tests of operators."""

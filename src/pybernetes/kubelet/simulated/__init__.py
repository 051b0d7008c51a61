"""A simulated node: a kubelet whose pods exist in memory only. Serves scale tests and unit tests of operators."""

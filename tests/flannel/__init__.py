"""Tests of pybernetes.flannel."""

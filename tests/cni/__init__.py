"""Tests of pybernetes.cni."""

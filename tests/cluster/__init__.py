"""Tests of pybernetes.cluster."""

"""Tests of pybernetes.proxy."""

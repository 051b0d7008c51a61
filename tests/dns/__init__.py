"""Tests of pybernetes.dns."""

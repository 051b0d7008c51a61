"""Tests of pybernetes.linux."""

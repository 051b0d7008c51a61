"""Tests of a complete cluster with real clients."""

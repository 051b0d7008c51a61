"""Tests of a whole cluster with real clients."""

"""Decides which node a pod runs on: queue, cluster snapshot as arrays, filters, scores."""

"""Explain a cluster: what is wrong with its network, which path a packet takes, why a pod is on its node.

Thin shells read the facts (`gather`, `probe`); everything that draws conclusions from them is pure.
"""

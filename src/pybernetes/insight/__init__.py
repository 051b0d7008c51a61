"""What is going on in a cluster, and why: findings about the network, the way of a packet, the place of a pod.

Facts are gathered by thin shells (`gather`, `probe`); everything that draws conclusions from them is pure.
"""

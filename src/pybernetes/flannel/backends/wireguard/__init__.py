"""WireGuard as the desired state needs it: peers, and the node's private key."""

"""A container runtime behind CRI v1 over a Unix socket: containerd, CRI-O."""

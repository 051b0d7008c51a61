"""A container runtime that is reached over CRI v1 on a Unix socket: containerd, CRI-O."""

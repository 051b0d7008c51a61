"""What stays in the kernel while a network changes its backend, also when the daemon restarts meanwhile."""

"""Create, run and remove clusters on this machine: certificates, local nodes, processes."""

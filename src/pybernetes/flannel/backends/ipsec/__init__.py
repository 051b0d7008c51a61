"""The ipsec backend's key exchange daemon, strongSwan's charon, and what it brings into the kernel."""

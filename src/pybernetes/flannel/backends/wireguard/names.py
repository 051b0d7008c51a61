"""Names that the parts of the wireguard backend share."""

NAME = "wireguard"
"""The backend's type."""
PUBLIC_KEY = "PublicKey"
"""The key in the backend data of a lease, and the fact that the daemon finds out before it announces one."""

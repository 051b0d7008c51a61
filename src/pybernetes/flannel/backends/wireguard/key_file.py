"""The node's WireGuard key: generated when it is first needed, kept in a file that only root can read."""

import base64
import os
from collections.abc import Mapping
from pathlib import Path

from pybernetes.flannel.config import ConfigError
from pybernetes.linux.wireguard import key_bytes


def default_path(environment: Mapping[str, str], folder: Path) -> Path:
    """Where Go flanneld has it: $WIREGUARD_KEY_FILE, else `wgkey` in the folder of subnet.env, usually /run/flannel."""
    return Path(environment.get("WIREGUARD_KEY_FILE") or folder / "wgkey")


class KeyFile:
    """The private key in a file, as `wg genkey` writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._public: tuple[str, str] = ("", "")

    def private(self) -> str:
        """The key; a new one if there is no file. Raises ConfigError if the file has no valid key."""
        try:
            key = self._path.read_text().strip()
        except FileNotFoundError:
            return self._make()
        except UnicodeDecodeError:
            key = ""
        try:
            key_bytes(key)
        except ValueError as error:
            raise ConfigError(f"{self._path}: {error}; remove it, and a new one is made") from error
        return key

    def public(self) -> str:
        """The public key, for leases."""
        private = self.private()
        if self._public[0] != private:
            self._public = private, public_of(private)
        return self._public[1]

    def _make(self) -> str:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        key = base64.b64encode(X25519PrivateKey.generate().private_bytes_raw()).decode()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(f"{self._path.name}.new")
        fresh.unlink(missing_ok=True)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(f"{key}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self._path)
        return key


def public_of(private: str) -> str:
    """The public key that belongs to a private one."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    pair = X25519PrivateKey.from_private_bytes(key_bytes(private))
    return base64.b64encode(pair.public_key().public_bytes_raw()).decode()

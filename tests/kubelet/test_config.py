"""Validation of the configuration."""

from typing import Any

import pytest

from pybernetes.kubelet.config import ConfigError, KubeletConfig


@pytest.mark.parametrize(
    "changes",
    [
        {"node_name": "Upper"},
        {"node_name": ""},
        {"node_ips": ()},
        {"port": 70000},
        {"image_gc_low_percent": 90},
        {"tls_cert_file": "x"},
        {"log_max_files": 1},
    ],
)
def test_invalid_configurations(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        KubeletConfig(**{"node_name": "n", "node_ips": ("1.2.3.4",), **changes}).check()

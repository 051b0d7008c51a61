"""Reads the network config as it changes: if a new one is invalid, the previous one stays in use."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pybernetes.flannel.backends import Backends, make
from pybernetes.flannel.config import ConfigError, NetworkConfig, parse
from pybernetes.flannel.leases.manager import SubnetManager

log = logging.getLogger(__name__)


class ConfigReader:
    """Reads the config from the subnet manager, and parses it when it has changed."""

    def __init__(self, manager: SubnetManager, backends: Backends) -> None:
        self._manager = manager
        self._backends = backends
        self._config: tuple[str, NetworkConfig] | None = None

    def recall(self, former: Mapping[str, Mapping[str, Any]]) -> NetworkConfig:
        """Add the options of backends that the previous run used; returns the config. Call after `read`."""
        assert self._config is not None
        text, config = self._config
        self._config = text, replace(config, former={**former, **config.former})
        return self._config[1]

    def read(self, check: Callable[[NetworkConfig], None] = lambda config: None) -> tuple[NetworkConfig, list[str]]:
        """The config, or the last valid one and what is wrong with the new one. `check` may raise ConfigError."""
        try:
            text = self._manager.config()
            if self._config is None or self._config[0] != text:
                config = parse(text, frozenset(self._backends))
                backend = make(config.backend, config.options, self._backends)
                check(config)
                if self._config is not None:
                    before = self._config[1]
                    config = replace(config, former={**before.former, before.backend: before.options})
                if config.unknown:
                    log.warning("network config has unknown keys: %s", ", ".join(config.unknown))
                log.info("Found network config - Backend type: %s", config.backend)
                if description := backend.describe():
                    log.info("%s", description)
                self._config = text, config
        except (ConfigError, OSError) as error:
            if self._config is None:
                raise
            return self._config[1], [f"{error}; the previous config stays in use"]
        return self._config[1], []

"""The version. A constant, because importlib.metadata would take most of the time of `--version`."""

VERSION = "0.1.0"

"""The extension backend: an administrator's commands."""

"""The version. Written down here, as asking the packaging library takes longer than all else that `--version` does."""

VERSION = "0.1.0"

"""One file per figure; see README.md."""

"""Keys, bytes, revisions, watches and durability. Knows no kinds."""

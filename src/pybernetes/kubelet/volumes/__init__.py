"""A pod's volumes: what is in them (pure), how they get onto the disk, and how they are taken off again."""

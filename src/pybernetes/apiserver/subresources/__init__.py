"""What hangs below an object: /scale, /binding, /eviction, /log, ... One file each; `routing` lists them."""

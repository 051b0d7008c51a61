"""Endpoints below an object: /scale, /binding, /eviction, /log, ... One file each; `endpoints` lists them."""

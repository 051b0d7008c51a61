"""One file per control loop."""

"""Putting it together: certificates, bootstrap, local nodes, up, down and join."""

"""The cluster DNS server: names of Services and Pods."""

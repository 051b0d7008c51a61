"""Which node has which subnet, how peers learn of it, and where leases are kept: in Node objects or in etcd."""

"""How every component talks to an API server: requests, watches, informers, work queues, leases."""

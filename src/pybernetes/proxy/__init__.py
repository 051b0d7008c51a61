"""Services in the kernel (kube-proxy)."""

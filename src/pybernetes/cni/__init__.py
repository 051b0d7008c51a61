"""CNI plugins: a pod joins the network. Imports the kernel layer only, so that it starts fast."""

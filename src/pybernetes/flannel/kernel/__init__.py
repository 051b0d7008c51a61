"""The kernel objects of the pod network: what is desired, what is there, and how one becomes the other."""

"""This program with all it needs to run where nothing is installed: interpreter, libraries, byte code.

Two things are made of it: the container image of flanneld, and the CNI plugins that such a container leaves on
its node. Everything is taken from the running interpreter; no registry and no compiler is asked for anything.
"""

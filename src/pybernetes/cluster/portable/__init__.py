"""Bundle this program with everything it needs to run elsewhere: interpreter, libraries, byte code.

There are two results: the container image of flanneld, and the CNI plugins that such a container installs on its
node. Everything comes from the running interpreter, without a registry or a compiler.
"""

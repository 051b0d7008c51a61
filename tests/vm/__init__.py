"""Features that the kernel of a build machine often lacks, tried in a kernel that has them."""

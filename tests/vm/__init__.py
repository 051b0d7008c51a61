"""Features that the kernel of a build machine often lacks, tested in a kernel that has them."""

"""The servers of the outside halves, on this machine, for tests, benchmarks and `make up-full`."""

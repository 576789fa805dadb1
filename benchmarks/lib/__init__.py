"""The modules that the benchmarks share. None of them is a program."""

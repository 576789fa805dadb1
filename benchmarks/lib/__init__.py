"""What the benchmarks share: none of these modules is run by itself."""

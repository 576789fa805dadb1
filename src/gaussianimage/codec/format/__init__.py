"""The container and the syntax of a `.gimg` file, for reading and for writing."""

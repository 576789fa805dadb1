"""The container and the syntax of a `.gimg` file, read and written alike."""

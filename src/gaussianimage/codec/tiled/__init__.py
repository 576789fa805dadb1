"""From a picture that may be larger than memory to a tiled file."""

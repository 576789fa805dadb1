"""From a picture to the bytes of a file."""

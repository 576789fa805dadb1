"""The encoder: it turns a picture into the bytes of a ``.gimg`` file."""

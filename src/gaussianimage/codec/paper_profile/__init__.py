"""The codec of the GaussianImage paper in real files: a profile of the `.gimg` container."""

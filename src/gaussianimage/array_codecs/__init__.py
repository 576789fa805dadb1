"""Codecs by which Zarr and numcodecs store chunks of arrays as ``.gimg`` files.

They are lossy. Both packages find them by entry points, under the name ``gaussianimage``.
"""

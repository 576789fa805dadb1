"""
The first bytes of a file
=========================

The strongest Gaussians come first, in layers. ``decode(data, layers=n)`` draws the first n of them,
and a download that has just begun can be shown with ``partial=True``.
"""

import matplotlib.pyplot as plt

import gaussianimage

photo = "../pictures/kodim23.png"
data = gaussianimage.encode(photo, quality=70, effort=1)

figure, axes = plt.subplots(1, 4, figsize=(12, 2.8), layout="constrained")
for axis, share in zip(axes, (0.1, 0.25, 0.5, 1.0), strict=True):
    received = data[: round(share * len(data))]
    axis.imshow(gaussianimage.decode(received, partial=True))
    axis.set_title(f"{len(received)} of {len(data)} bytes")
    axis.axis("off")

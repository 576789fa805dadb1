"""
The Gaussians as ellipses
=========================

Each Gaussian is drawn at one standard deviation, in the color of the picture under it. Small
Gaussians gather where the picture has detail.
"""

import matplotlib.pyplot as plt
from PIL import Image

import gaussianimage
from gaussianimage.visualize.ellipses import draw_ellipses

photo = Image.open("../pictures/kodim23.png").crop((20, 20, 404, 308))
data = gaussianimage.encode(photo, quality=35, effort=1)
gaussians = gaussianimage.decode_gaussians(data)

figure, axes = plt.subplots(1, 3, figsize=(12, 3.5), layout="constrained")
axes[0].imshow(gaussianimage.decode(data))
axes[0].set_title(f"{len(data) / 1000:.1f} kB, {len(gaussians)} Gaussians")
axes[1].imshow(draw_ellipses(gaussians, size=(576, 768)))
axes[1].set_title("filled")
axes[2].imshow(draw_ellipses(gaussians, size=(576, 768), style="outline", background="white"))
axes[2].set_title("outlines")
for axis in axes:
    axis.axis("off")

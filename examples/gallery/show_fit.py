"""
From a few Gaussians to many
============================

`gaussianimage.fit` optimizes Gaussians in floating point, without a file. The PSNR is that of the
drawn picture, before any quantization.
"""

import matplotlib.pyplot as plt
from PIL import Image

import gaussianimage

photo = Image.open("../pictures/kodim23.png").crop((20, 20, 404, 308))
figure, axes = plt.subplots(1, 4, figsize=(12, 2.8), layout="constrained")
for axis, count in zip(axes, (30, 150, 700, 3000), strict=True):
    result = gaussianimage.fit(photo, count, iterations=120)
    axis.imshow(gaussianimage.render(result.gaussians).clip(0, 1))
    axis.set_title(f"{count} Gaussians, {result.psnr:.1f} dB")
    axis.axis("off")

"""
An icon with transparency
=========================

Pixels that are fully transparent or fully opaque stay exactly so.
"""

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw

import gaussianimage

# %%
# An icon, drawn four times as large and reduced, so that its edges are half transparent.

icon = Image.new("RGBA", (512, 512))
draw = ImageDraw.Draw(icon)
draw.rounded_rectangle((32, 32, 480, 480), 110, fill=(36, 92, 160, 255))
draw.ellipse((128, 112, 384, 368), fill=(250, 196, 60, 255))
draw.ellipse((208, 64, 432, 288), fill=(36, 92, 160, 255))
draw.polygon([(96, 416), (208, 288), (288, 368), (352, 304), (432, 416)], fill=(235, 240, 245, 255))
icon = icon.resize((128, 128), Image.Resampling.LANCZOS)

data = gaussianimage.encode(icon, quality=60, effort=1)
decoded = gaussianimage.decode(data)
source = np.asarray(icon)
for value in (0, 255):
    assert ((decoded[..., 3] == value) == (source[..., 3] == value)).all()

checks = (np.indices((128, 128)) // 8).sum(axis=0) % 2 * 40 + 200
ground = Image.fromarray(np.repeat(checks[..., None], 3, axis=2).astype(np.uint8)).convert("RGBA")
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axis, pixels, title in (
    (axes[0], source, "source"),
    (axes[1], decoded, f".gimg, {len(data)} bytes"),
):
    axis.imshow(Image.alpha_composite(ground, Image.fromarray(pixels)))
    axis.set_title(title)
axes[2].imshow(gaussianimage.decode(data, size=(512, 512))[140:300, 180:340])
axes[2].set_title("a detail, drawn 4 times as large")
for axis in axes:
    axis.axis("off")

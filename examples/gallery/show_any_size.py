"""
One file at any size
====================

A sum of Gaussians has no pixels of its own, so `gaussianimage.decode` draws it at any size. With
``crop=`` only the part that is seen is drawn. A JPEG of the same size in bytes is enlarged beside
it.
"""

import io

import matplotlib.pyplot as plt
from PIL import Image

import gaussianimage

photo = Image.open("../pictures/kodim23.png").crop((20, 20, 404, 308))
data = gaussianimage.encode(photo, quality=70, effort=1)
for quality in range(1, 96):
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
    if buffer.tell() >= len(data):
        break

scale = 8
top, left, height, width = (scale * side for side in (176, 72, 64, 96))
detail = gaussianimage.decode(
    data, size=(scale * photo.height, scale * photo.width), crop=(top, left, height, width)
)
box = (left // scale, top // scale, (left + width) // scale, (top + height) // scale)
panels = {
    "source": photo.crop(box),
    f"JPEG, {buffer.tell() / 1000:.1f} kB": Image.open(buffer).crop(box),
    f".gimg, {len(data) / 1000:.1f} kB, drawn 8 times as large": detail,
}
figure, axes = plt.subplots(1, 3, figsize=(12, 3), layout="constrained")
for axis, (title, picture) in zip(axes, panels.items(), strict=True):
    axis.imshow(picture, interpolation="nearest")
    axis.set_title(title)
    axis.axis("off")

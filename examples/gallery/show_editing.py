"""
A picture as data
=================

`gaussianimage.Gaussians` is an immutable value with arrays for the centers, shapes and colors. New
arrays make a new picture.
"""

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import gaussianimage
from gaussianimage import Gaussians

photo = Image.open("../pictures/kodim23.png").crop((20, 20, 404, 308))
whole = gaussianimage.fit(photo, 2500, iterations=150).gaussians
size = whole.height, whole.width

# %%
# The first axis of each Gaussian is its longest, in pixels. Without the small Gaussians the picture
# loses its detail, and the small ones alone are the detail.

longest = whole.scale_rotation()[0][:, 0]
large, small = whole[longest > 6], whole[longest <= 6]
shrunk = Gaussians(whole.means, 0.4 * whole.covariance, whole.colors, *size)
turned = np.stack([whole.width - whole.means[:, 0], whole.means[:, 1]], axis=1)
mirrored = Gaussians(turned, whole.covariance * (1, -1, 1), whole.colors[:, ::-1], *size)

panels = {
    f"the {len(large)} largest": gaussianimage.render(large),
    f"the {len(small)} smallest, on gray": gaussianimage.render(small) + 0.5,
    "each one shrunk": gaussianimage.render(shrunk),
    "mirrored, red and blue swapped": gaussianimage.render(mirrored),
}
figure, axes = plt.subplots(2, 2, figsize=(8, 6.4), layout="constrained")
for axis, (title, picture) in zip(axes.flat, panels.items(), strict=True):
    axis.imshow(picture.clip(0, 1))
    axis.set_title(title)
    axis.axis("off")

"""Pictures of the Gaussians themselves: each one drawn as an ellipse."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from gaussianimage import rendering
from gaussianimage._util.arguments import Size, crop_box, full_size
from gaussianimage.gaussians import Gaussians

__all__ = ["draw_ellipses"]

Floats = NDArray[np.float64]

OVERSAMPLING = 4
RIM = 0.5  # width of a filled ellipse's rim in px; the rim is a darker shade of the color
RIM_SHADE = 0.6
LINE = 1.25  # width of an outline in px
LEAST_CONTRAST = 0.3  # between an outline and the background
LONGEST = 100.0  # in sides of the picture; a longer ellipse would look like a straight line
LEAST_ALPHA = 1 / 16
BAND_SAMPLES = 1 << 24  # bounds the memory of the oversampled picture
COLOR_PIXELS = 1 << 22  # most pixels of the picture that gives the colors


def draw_ellipses(
    gaussians: Gaussians,
    *,
    size: Size | None = None,
    crop: tuple[int, int, int, int] | None = None,
    sigma: float = 1.0,
    style: Literal["filled", "outline"] = "filled",
    background: Literal["black", "white"] = "black",
) -> NDArray[np.uint8]:
    """Draw every Gaussian as the ellipse at `sigma` standard deviations, the largest first.

    Parameters
    ----------
    gaussians : Gaussians
        Gaussians that aren't `drawable` are left out, and so are Gaussians whose ellipse contains
        the whole picture or is more than 100 times as long as its longer side.
    size : (int, int), optional
        Height and width of the drawn picture in pixels; the nominal size by default. The aspect
        ratio stays if one of them is None.
    crop : (int, int, int, int), optional
        Top, left, height and width of the part to draw, in pixels of the picture at `size`.
    sigma : float, default 1.0
        Size of the ellipses, above 0 and at most 10.
    style : {"filled", "outline"}
        Ellipses with a darker rim, or their outlines alone.
    background : {"black", "white"}
        Color between the ellipses.

    Returns
    -------
    ndarray, (height, width, 3), uint8
        RGB, anti-aliased.

    Raises
    ------
    TypeError, ValueError
        An argument has a wrong type or is out of range.

    Notes
    -----
    An ellipse has the mean color of the *picture* under it. The Gaussian's own color is only one
    summand of the picture's, and often dark or negative.
    """
    if style not in ("filled", "outline"):
        raise ValueError(f"style: expected 'filled' or 'outline', got {style!r}")
    if background not in ("black", "white"):
        raise ValueError(f"background: expected 'black' or 'white', got {background!r}")
    if not 0 < sigma <= 10:
        raise ValueError(f"sigma: expected above 0 and at most 10, got {sigma}")
    full = full_size("size", size, (gaussians.height, gaussians.width))
    box = (0, 0, *full) if crop is None else crop_box("crop", crop, full)
    ground = 0.0 if background == "black" else 1.0

    visible = gaussians[gaussians.drawable()]
    colors, opacity = _colors(visible)
    shapes = _Ellipses.from_gaussians(visible.scaled(full), colors, sigma)
    shapes = shapes.select(opacity >= LEAST_ALPHA).within(full, box)
    if style == "outline":
        shapes = shapes.recolored(_contrasting(shapes.colors, ground))
    result = np.empty((*box[2:], 3), np.uint8)
    for top, bottom in _bands(*box[2:]):
        band = shapes.within(full, (box[0] + top, box[1], bottom - top, box[3]))
        result[top:bottom] = _band(
            band, (box[0] + top, box[1]), (bottom - top, box[3]), style, ground
        )
    return result


@dataclass(frozen=True)
class _Ellipses:
    """N ellipses in pixels of the picture to draw, in the order of drawing."""

    means: Floats  # (N, 2)
    axes: Floats  # (N, 2) semi-axes, the longer one first
    angles: Floats  # (N,)
    reach: Floats  # (N, 2) half the width and the height of the bounding box
    colors: Floats  # (N, 3) 0..1

    @classmethod
    def from_gaussians(cls, gaussians: Gaussians, colors: Floats, sigma: float) -> Self:
        axes, angles = gaussians.scale_rotation()
        reach = sigma * np.sqrt(gaussians.covariance[:, [0, 2]])
        order = np.argsort(-axes.prod(axis=1), kind="stable")
        return cls(gaussians.means, sigma * axes, angles, reach, colors).select(order)

    def select(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        parts = (self.means, self.axes, self.angles, self.reach, self.colors)
        return type(self)(*(part[index] for part in parts))

    def recolored(self, colors: Floats) -> Self:
        return type(self)(self.means, self.axes, self.angles, self.reach, colors)

    def within(self, size: tuple[int, int], box: tuple[int, int, int, int]) -> Self:
        """Remove ellipses outside of a box, and ellipses that are too large to show a shape."""
        top, left, height, width = box
        low = self.means + self.reach + 1 >= (left, top)
        high = self.means - self.reach - 1 <= (left + width, top + height)
        shaped = self.axes[:, 0] <= LONGEST * max(size)
        return self.select((low & high).all(axis=1) & shaped & ~self._holds(size))

    def _holds(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Return for each ellipse whether it contains all four corners of the picture, (N,)."""
        corners = np.array([(x, y) for x in (0, size[1]) for y in (0, size[0])])
        offsets = corners - self.means[:, None]
        cos, sin = np.cos(self.angles)[:, None], np.sin(self.angles)[:, None]
        along = cos * offsets[..., 0] + sin * offsets[..., 1]
        across = cos * offsets[..., 1] - sin * offsets[..., 0]
        inside = (along / self.axes[:, :1]) ** 2 + (across / self.axes[:, 1:]) ** 2 <= 1
        return np.asarray(inside.all(axis=1))


def _colors(gaussians: Gaussians) -> tuple[Floats, Floats]:
    """Return the picture's mean RGB color under each Gaussian, (N, 3), and its opacity, (N,)."""
    shrink = min(1.0, (COLOR_PIXELS / (gaussians.height * gaussians.width)) ** 0.5)
    height, width = (max(1, round(s * shrink)) for s in (gaussians.height, gaussians.width))
    picture = rendering.render(gaussians, size=(height, width)).clip(0, 1).astype(np.float64)
    seen = gaussians.scaled((height, width))
    # The color is sampled at nine points, the center and a ring. Points outside of the picture
    # don't count.
    turn = np.arange(8) * (np.pi / 4)
    u = np.append(0.7 * np.cos(turn), 0.0)
    v = np.append(0.7 * np.sin(turn), 0.0)
    factor = seen.cholesky()[:, :, None]
    x = seen.means[:, :1] + factor[:, 0] * u
    y = seen.means[:, 1:] + factor[:, 1] * u + factor[:, 2] * v
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    columns = np.clip(x, 0, width - 1).astype(np.intp)
    rows = np.clip(y, 0, height - 1).astype(np.intp)
    weights = inside / np.maximum(inside.sum(axis=1, keepdims=True), 1)
    weights[~inside.any(axis=1), -1] = 1
    samples = (picture[rows, columns] * weights[..., None]).sum(axis=1)
    opacity = np.ones(len(seen))
    if seen.channels in (2, 4):  # color is multiplied by alpha
        opacity, samples = samples[:, -1], samples[:, :-1]
        samples = np.clip(samples / np.maximum(opacity, LEAST_ALPHA)[:, None], 0, 1)
    return np.repeat(samples, 3, axis=1) if samples.shape[1] == 1 else samples, opacity


def _contrasting(colors: Floats, ground: float) -> Floats:
    """Move faint colors away from the ground, so that thin lines are visible; the hue stays."""
    away = np.abs(colors - ground)
    strength = away.max(axis=1, keepdims=True)
    faint = strength < LEAST_CONTRAST
    lifted = away * (LEAST_CONTRAST / np.maximum(strength, 1e-9))
    lifted[(strength < 1e-3)[:, 0]] = LEAST_CONTRAST
    return np.where(faint, np.abs(ground - lifted), colors)


def _bands(height: int, width: int) -> Iterator[tuple[int, int]]:
    rows = max(1, BAND_SAMPLES // (width * OVERSAMPLING**2))
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def _band(
    shapes: _Ellipses,
    corner: tuple[int, int],
    size: tuple[int, int],
    style: str,
    ground: float,
) -> NDArray[np.uint8]:
    """Draw some rows oversampled, and average the samples of each pixel."""
    height, width = size
    canvas = Image.new("RGB", (width * OVERSAMPLING, height * OVERSAMPLING), _rgb([ground] * 3))
    draw = ImageDraw.Draw(canvas)
    for mean, axes, angle, color in zip(
        shapes.means - corner[::-1], shapes.axes, shapes.angles, shapes.colors, strict=True
    ):
        if style == "outline":
            points = _polygon(mean, axes, angle)
            line = [*points, *points[:2]]  # overlaps its start, where a notch would be otherwise
            draw.line(line, fill=_rgb(color), width=round(LINE * OVERSAMPLING))
            continue
        inner = axes - RIM
        draw.polygon(_polygon(mean, axes, angle), fill=_rgb(RIM_SHADE * color))
        if inner[1] > 0:
            draw.polygon(_polygon(mean, inner, angle), fill=_rgb(color))
    return np.asarray(canvas.reduce(OVERSAMPLING))


def _polygon(mean: Floats, axes: Floats, angle: float) -> list[tuple[int, int]]:
    """Return points on an ellipse, in Pillow's coordinates of the oversampled canvas."""
    # With this many points, no edge is off the curve by more than a quarter of a sample.
    count = int(np.clip(np.pi * np.sqrt(2 * OVERSAMPLING * axes[0]), 12, 4096))
    turn = np.arange(count) * (2 * np.pi / count)
    along, across = axes[0] * np.cos(turn), axes[1] * np.sin(turn)
    x = mean[0] + along * np.cos(angle) - across * np.sin(angle)
    y = mean[1] + along * np.sin(angle) + across * np.cos(angle)
    # Integer coordinates are centers of samples in Pillow, and their edges here. Pillow truncates
    # fractions towards zero, which would show where two bands meet.
    points = np.rint(np.stack((x, y), axis=1) * OVERSAMPLING - 0.5).astype(np.int64)
    return list(map(tuple, points.tolist()))


def _rgb(color: Floats | list[float]) -> tuple[int, int, int]:
    red, green, blue = (round(255 * float(value)) for value in color)
    return red, green, blue

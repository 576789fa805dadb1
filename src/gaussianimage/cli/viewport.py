"""The part of a picture to draw, and its size: --size, --scale and --crop."""

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

import click

from gaussianimage._util.arguments import MAX_PICTURE_SIDE
from gaussianimage.cli.options import FiniteRange, Function, packed
from gaussianimage.cli.report import dimensions

__all__ = ["Viewport", "viewport_options"]

Size: TypeAlias = tuple[int | None, int | None]
Box: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True)
class Viewport:
    """A size or a scale, and a crop, as the user gave them, with widths before heights."""

    size: Size | None  # width, height; None is a side that follows from the shape
    scale: float | None
    crop: Box | None  # x, y, width, height

    def resolve(
        self, height: int, width: int
    ) -> tuple[tuple[int, int] | None, tuple[int, int, int, int] | None]:
        """Return `size` and `crop` as `gaussianimage.render` takes them.

        Parameters
        ----------
        height, width : int
            Nominal size of the picture.

        Raises
        ------
        ValueError
            If the size is out of range, or the crop is not within the picture.
        """
        size = self._size(height, width)
        full = size or (height, width)
        if size is not None and not all(1 <= side <= MAX_PICTURE_SIDE for side in size):
            raise ValueError(f"a side has 1 to {MAX_PICTURE_SIDE} pixels, not {dimensions(*full)}")
        if self.crop is None:
            return size, None
        left, top, columns, rows = self.crop
        if left + columns > full[1] or top + rows > full[0]:
            raise ValueError(
                f"--crop {','.join(map(str, self.crop))} is not within {dimensions(*full)} pixels"
            )
        return size, (top, left, rows, columns)

    def _size(self, height: int, width: int) -> tuple[int, int] | None:
        if self.scale is not None:
            return max(1, round(height * self.scale)), max(1, round(width * self.scale))
        if self.size is None:
            return None
        columns, rows = self.size
        if columns is None:
            columns = max(1, round(width * (rows or 0) / height))
        if rows is None:
            rows = max(1, round(height * columns / width))
        return rows, columns


def _size(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Size | None:
    if value is None:
        return None
    match = re.fullmatch(r"(\d{0,9})[xX×](\d{0,9})", value)
    if not match or match[1] == match[2] == "":
        raise click.BadParameter(f"{value!r} is not a size such as 640x480, 640x or x480.")
    width, height = (int(side) if side else None for side in match.groups())
    if 0 in (width, height):
        raise click.BadParameter(f"{value!r} has no pixels.")
    return width, height


def _crop(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Box | None:
    if value is None:
        return None
    if not re.fullmatch(r"\d{1,9}(,\d{1,9}){3}", value):
        raise click.BadParameter(f"{value!r} is not four numbers such as 10,20,300,200.")
    left, top, width, height = map(int, value.split(","))
    if 0 in (width, height):
        raise click.BadParameter(f"{value!r} has no pixels.")
    return left, top, width, height


def viewport_options(function: Function) -> Function:
    """Add --size, --scale and --crop; the function gets them as `viewport`."""
    return packed(
        function,
        "viewport",
        _viewport,
        click.option(
            "--size",
            metavar="WxH",
            callback=_size,
            help="Width and height to draw at, in pixels; 640x and x480 keep the shape.",
        ),
        click.option(
            "--scale",
            type=FiniteRange(0, MAX_PICTURE_SIDE, min_open=True),
            metavar="S",
            help="Factor on the picture's nominal size.",
        ),
        click.option(
            "--crop",
            metavar="X,Y,W,H",
            callback=_crop,
            help="Part to draw: left, top, width and height in pixels of the output's size.",
        ),
    )


def _viewport(**values: Any) -> Viewport:
    if values["size"] is not None and values["scale"] is not None:
        raise click.UsageError("--size and --scale say the same thing; give one of them.")
    return Viewport(**values)

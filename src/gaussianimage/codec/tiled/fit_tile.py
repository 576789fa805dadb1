"""One tile: from what the other tiles leave of the picture to the bytes of its chunk."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage._util.interrupt import Interrupt
from gaussianimage.codec.decoder.file import DEFAULT_LIMITS
from gaussianimage.codec.decoder.tile_cache import (
    DecodedTile,
    TileFrame,
    decode_tile,
    extents,
    measure_reach,
)
from gaussianimage.codec.encoder.alpha_map import weighted
from gaussianimage.codec.encoder.draft import Draft
from gaussianimage.codec.encoder.effort import Effort
from gaussianimage.codec.encoder.encode import Q_MAX
from gaussianimage.codec.encoder.eye_weights import on_channels
from gaussianimage.codec.encoder.local_contrast import BLOCK
from gaussianimage.codec.encoder.prepare import PreparedPicture
from gaussianimage.codec.encoder.prune_and_regrow import PRUNE
from gaussianimage.codec.encoder.quantize_fit import ENERGY, FitQuantizer
from gaussianimage.codec.encoder.rate_model import gaussians_for_step
from gaussianimage.codec.encoder.rd_quantization import Within
from gaussianimage.codec.encoder.serialize import serialize
from gaussianimage.codec.encoder.stretch import MOST_OCTAVES, Stretch
from gaussianimage.codec.format.alpha import TRANSPARENT
from gaussianimage.codec.format.container import chunk_bytes
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.quantizer import (
    SHAPE_STEP_ONE,
    STEPS_PER_OCTAVE,
    QuantizerParameters,
)
from gaussianimage.codec.format.tiles import round_reach, tile_chunk
from gaussianimage.codec.tiled.tile_alpha import classes_of_frame, classes_of_tile
from gaussianimage.fitting.clamped_ends import forgiven, sides_of
from gaussianimage.fitting.fit import fit_picture
from gaussianimage.fitting.loop import FitResult
from gaussianimage.picture import Ends, Picture

# A tile whose pixels are all this close to what is drawn already, in levels of the picture's bit
# depth, is left empty. Plain grounds of slides and of the sky between stars take no time then.
LEAST_RESIDUAL = 0.5


@dataclass(frozen=True)
class TileResult:
    """An encoded tile.

    Attributes
    ----------
    chunk : bytes
        The bytes of its ``TILE`` chunk; empty if it has neither Gaussians nor a map of alpha.
    reach : int
        How far its Gaussians reach beyond it, in pixels of its level.
    tile : DecodedTile
        Its Gaussians, as a decoder gets them.
    """

    chunk: bytes
    reach: int
    tile: DecodedTile

    @property
    def gaussians(self) -> int:
        """Number of Gaussians."""
        return len(self.tile.means)


def stretch_for_residual(residual: NDArray[np.float32]) -> Stretch:
    """Return the map that spreads a residual, −1 to 1, over 0 to 1, with zero at ½.

    As for a picture of little contrast, the gain is a power of 2^(1/16); it is ½ or more.
    """
    most = float(np.abs(residual).max(initial=0.0))
    octaves = MOST_OCTAVES if most == 0 else -math.log2(2 * most * (1 + 1e-5))
    sixteenths = math.floor(STEPS_PER_OCTAVE * min(max(octaves, -1.0), MOST_OCTAVES))
    return Stretch(sixteenths, np.zeros(residual.shape[2]))


def encode_tile(
    frame: TileFrame,
    seen: NDArray[np.float32],
    drawn: NDArray[np.float32],
    step: float,
    *,
    weights: NDArray[np.float32] | None,
    repair_step: float | None,
    effort: Effort,
    bit_depth: int,
    progressive: bool,
    room: float,
    seed: int,
    threads: int,
) -> TileResult:
    """Fit Gaussians to what is missing in a tile and its margins, and encode them.

    Parameters
    ----------
    frame : TileFrame
        The tile.
    seen, drawn : ndarray, (H, W, C), float32
        The picture, and what coarser levels and neighbors draw, in the tile's frame.
    step : float
        The color step Δ of the picture.
    weights : ndarray, (H, W), float32, or None
        Weights of the errors for the eye; see `first_weights`.
    repair_step : float or None
        The color step Δ of the quality, which tells how bad a block of the tile may be; None
        without repairs.
    effort : Effort
    bit_depth : int
        Bits of a sample of the picture, 8 or 16.
    progressive : bool
        Whether the tile has layers.
    room : float
        How far the tile, with what the others draw, may exceed white and black.
    seed : int
        Seed of the fit.
    threads : int
        Threads to use.

    Returns
    -------
    TileResult
    """
    channels = seen.shape[2]
    residual = seen - drawn
    classes = classes_of_frame(seen, bit_depth)
    own_classes = classes_of_tile(classes, frame)
    least = LEAST_RESIDUAL / (2**bit_depth - 1)
    # Of what is drawn in transparent pixels nothing shows.
    hidden = classes is not None and bool((classes == TRANSPARENT).all())
    sides = sides_of(seen) if room > 0 else None
    missing = residual if sides is None else forgiven(-residual, Ends(sides, room))
    if hidden or float(np.abs(missing).max(initial=0.0)) < least:
        return _without_gaussians(frame, own_classes)
    stretch = stretch_for_residual(residual)
    pixels = residual * np.float32(stretch.gain)
    pixels += np.float32(0.5)
    np.clip(pixels, 0, 1, out=pixels)
    pixels.flags.writeable = False
    ends = None if sides is None else Ends(sides, room * stretch.gain)
    picture = Picture(pixels, 16 if bit_depth == 16 else 8, ends=ends)
    picture = weighted(picture, classes)
    fitted_picture = picture
    if weights is not None:
        fitted_picture = replace(picture, weights=on_channels(weights, picture))
    source = PreparedPicture(picture, stretch, fitted_picture, weights, seen)
    stretched_step = step * stretch.gain
    counts = gaussians_for_step(fitted_picture, stretched_step, threads=threads)
    interrupt = Interrupt()
    fitted = fit_picture(
        fitted_picture,
        counts.fitted,
        newton=False,
        solve=True,
        least=PRUNE * stretched_step,
        iterations=effort.fit,
        seed=seed,
        threads=threads,
        q_max=Q_MAX,
        energy=ENERGY,
        on_interrupt=interrupt,
    )
    fitted = _without_long(fitted, frame)
    quantizer = FitQuantizer(
        source,
        fitted,
        effort,
        threads,
        _ignore,
        interrupt,
        background=np.zeros(channels),
        within=_rectangle(frame),
        progressive=progressive,
        most=counts.most,
    )
    draft = quantizer.quantize(stretched_step)
    color_index = draft.parameters.color_index + stretch.sixteenths
    parameters = QuantizerParameters(
        color_index, draft.parameters.shape_index, draft.parameters.background
    )
    levels = parameters.quantizer(*residual.shape[:2])
    draft = _within_reach(draft, levels, frame)
    if repair_step is not None:
        draft = quantizer.repair(draft, repair_step, _blocks_to_repair(frame)).draft
        draft = _within_reach(draft, levels, frame)
    if not draft.layers:
        return _without_gaussians(frame, own_classes)
    if own_classes is not None:
        # Not before: the drafts are pictures of a residual, whose transparent pixels are not black.
        source = replace(source, alpha_map=_native.encode_alpha_map(own_classes))
        draft = replace(draft, source=source).with_layers(draft.layers)
    means, cholesky, _ = levels.dequantize(*QuantizedGaussians.concatenate(draft.layers))
    place = frame.grid.frame(frame.place)
    means += (place.left, place.top)
    reach = round_reach(measure_reach(means, extents(cholesky, frame.q_max), frame))
    chunk = chunk_bytes(tile_chunk(frame.place, draft.data))
    # Decoded, because a decoder has the Gaussians in another order, which rounds sums differently.
    return TileResult(chunk, reach, decode_tile(frame, chunk, reach, DEFAULT_LIMITS, threads))


def empty_tile(channels: int) -> DecodedTile:
    """Return a tile without a chunk."""
    colors = np.empty((0, channels), np.float32)
    return DecodedTile(np.empty((0, 2)), np.empty((0, 3)), colors, np.empty((2, 0)), 0, None)


def _without_gaussians(frame: TileFrame, classes: NDArray[np.uint8] | None) -> TileResult:
    """Return a tile without Gaussians, which has a chunk only if it has a map of alpha."""
    if classes is None:
        return TileResult(b"", 0, empty_tile(frame.channels))
    height, width = classes.shape
    data = serialize(
        [],
        QuantizerParameters(0, SHAPE_STEP_ONE, (0,) * frame.channels),
        Metadata(),
        height=height,
        width=width,
        bit_depth=8,
        q_max=frame.q_max,
        alpha_map=_native.encode_alpha_map(classes),
    )
    chunk = chunk_bytes(tile_chunk(frame.place, data))
    return TileResult(chunk, 0, decode_tile(frame, chunk, 0, DEFAULT_LIMITS, 1))


def _without_long(fitted: FitResult, frame: TileFrame) -> FitResult:
    """Return a fit without its Gaussians that reach too far; later stages make up for them."""
    state = fitted.state
    near = _near(state.means, state.cholesky, frame)
    near[0] = True  # the background
    if near.all():
        return fitted
    names = ("means", "cholesky", "colors", "first", "second", "age", "trainable")
    kept = {name: getattr(state, name)[near] for name in names}
    return replace(fitted, state=replace(state, **kept))


def _within_reach(draft: Draft, levels: _native.Quantizer, frame: TileFrame) -> Draft:
    """Return a draft without Gaussians that reach too far."""
    layers = []
    for layer in draft.layers:
        means, cholesky, _ = levels.dequantize(*layer)
        layers.append(layer.select(_near(means, cholesky, frame)))
    if sum(len(layer.precision) for layer in layers) == draft.gaussians:
        return draft
    return draft.with_layers([layer for layer in layers if len(layer.precision)])


def _near(
    means: NDArray[np.float64], cholesky: NDArray[np.float64], frame: TileFrame
) -> NDArray[np.bool_]:
    """Tell which Gaussians, in pixels of a tile's frame, do not reach too far beyond the tile.

    Tiles that are fitted at the same time are a tile apart, and neither knows what the other draws:
    a Gaussian of one must not reach the margin of the other.
    """
    rectangle = _rectangle(frame)
    if rectangle is None:
        return np.ones(len(means), bool)
    left, top, right, bottom = rectangle
    across, down = extents(cholesky, frame.q_max)
    x, y = means.T
    near: NDArray[np.bool_] = (
        (x - across > left) & (x + across < right) & (y - down > top) & (y + down < bottom)
    )
    return near


def _rectangle(frame: TileFrame) -> Within | None:
    """Return what the Gaussians of a tile may cover, in pixels of its frame; None if all."""
    grid, place = frame.grid, frame.place
    if grid.shapes[place.level] == (1, 1):
        return None
    rectangle = grid.frame(place)
    x = place.column * grid.side - rectangle.left
    y = place.row * grid.side - rectangle.top
    most = grid.side - grid.margin - 1
    return x - most, y - most, x + grid.side + most, y + grid.side + most


def _blocks_to_repair(frame: TileFrame) -> NDArray[np.bool_]:
    """Tell which blocks of a tile's frame are in the tile or in one that is encoded already.

    Blocks in the margins are drawn by both tiles, so the later one answers for them: of two tiles
    in a row, that of the odd column, and else the lower one.
    """
    rectangle, (_, row, column) = frame.grid.frame(frame.place), frame.place
    side = frame.grid.side
    y = rectangle.top + BLOCK // 2 + BLOCK * np.arange(-(-rectangle.height // BLOCK))
    x = rectangle.left + BLOCK // 2 + BLOCK * np.arange(-(-rectangle.width // BLOCK))
    rows, columns = (y // side)[:, None], x // side
    here = (rows == row) & ((columns == column) | (column % 2 == 1))
    blocks: NDArray[np.bool_] = (here | (rows < row)).ravel()
    return blocks


def _ignore(*_: object) -> None:
    pass

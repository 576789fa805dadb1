"""Encoding a picture that may be larger than memory as a tiled file.

The levels are encoded from the coarsest to the finest, and each level row by row. A tile is fitted
to what the coarser levels and its neighbors do not draw, with margins on all sides. In a row, the
tiles of even columns come first and see the row above; those of odd columns come next and see their
neighbors too. So every edge between two tiles is fitted by the later one against what the earlier
one draws, and nothing is drawn twice.
"""

import math
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage._util.arguments import integer, number, thread_count
from gaussianimage._util.files import atomic_output
from gaussianimage.batching.engine import Engine
from gaussianimage.batching.engines import check_engine, open_engine
from gaussianimage.batching.second_try import LostTwiceError, run_with_second_try
from gaussianimage.codec.decoder.file import DEFAULT_LIMITS
from gaussianimage.codec.decoder.tile_cache import DecodedTile, TileFrame, decode_tile
from gaussianimage.codec.encoder.effort import DEFAULT_EFFORT, Effort, effort_level
from gaussianimage.codec.encoder.encode import LEAST_REPAIRED, Q_MAX
from gaussianimage.codec.encoder.rate_model import step_for_quality
from gaussianimage.codec.encoder.targets import DEFAULT_QUALITY, Target, Tune
from gaussianimage.codec.format.header import Header
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.quantizer import (
    BACKGROUND_LEVELS,
    SHAPE_STEP_ONE,
    QuantizerParameters,
    nearest_color_index,
)
from gaussianimage.codec.format.tiles import TILE_SIDES, Frame, TileGrid, TilePlace
from gaussianimage.codec.tiled.assemble import write_tiled
from gaussianimage.codec.tiled.drawn_tiles import DrawnTiles
from gaussianimage.codec.tiled.fit_tile import TileResult, empty_tile
from gaussianimage.codec.tiled.levels import CoarseLevels, Window, to_pixels
from gaussianimage.codec.tiled.rows import Pixels, RowReader, RowSource, Samples, open_rows
from gaussianimage.codec.tiled.tile_alpha import USUAL, classes_of_frame, with_exact_alpha
from gaussianimage.codec.tiled.tile_job import TileJob, TileOptions, encode_jobs
from gaussianimage.codec.tiled.work_file import WorkFile
from gaussianimage.errors import GaussianImageError
from gaussianimage.fitting.progress import OnProgress, Progress
from gaussianimage.picture import Kept
from gaussianimage.picture.keeping import keep

TILE_SIDE = 1024
MARGIN = 16
SHIFT = 2  # a pixel of a level is 4 x 4 of the next finer one
WORK_SUFFIX = ".part"


@dataclass(frozen=True)
class TiledResult:
    """A tiled file that was written.

    Attributes
    ----------
    path : Path
        The file.
    height, width : int
        Size of the picture in pixels.
    gaussians, tiles : int
        Number of Gaussians, and of tiles that are not empty.
    bytes : int
        Size of the file.
    psnr : float
        PSNR of the decoded picture in dB, in the bit depth of the source and with color multiplied
        by alpha.
    seconds : float
        Wall-clock time of this call.
    """

    path: Path
    height: int
    width: int
    gaussians: int
    tiles: int
    bytes: int
    psnr: float
    seconds: float

    @property
    def bpp(self) -> float:
        """Size of the file in bits per pixel."""
        return 8 * self.bytes / (self.height * self.width)


def encode_tiled(
    picture: RowSource,
    path: str | PathLike[str],
    *,
    quality: float = DEFAULT_QUALITY,
    tune: Tune | None = None,
    effort: int = DEFAULT_EFFORT,
    tile: int = TILE_SIDE,
    metadata: Kept = "all",
    progressive: bool = True,
    seed: int = 0,
    threads: int | None = None,
    engine: str = "local",
    address: str | None = None,
    resume: bool = True,
    progress: OnProgress | None = None,
) -> TiledResult:
    """Encode a picture, which may be larger than memory, as a tiled ``.gimg`` file.

    A reader of the file reads only the tiles that it draws, at any zoom.

    Parameters
    ----------
    picture : array-like, or what `gaussianimage.as_picture` takes
        The picture is read twice, a few hundred rows at a time, if it is an array of uint8 or
        uint16 (also a memory-mapped one, or one of Zarr or HDF5), a ``.npy`` file, or, with
        ``pip install 'gaussianimage[big]'``, any file that libvips reads by rows: TIFF, PNG, JPEG
        and others. Other pictures are read as a whole, up to 2²⁸ pixels.
    path : str or os.PathLike
        The file to write. While the work goes on, encoded tiles are in a file of this name and
        ``.part``.
    quality : float, default 75
        Quality from 0 to 100, as for `gaussianimage.encode`.
    tune : {"eye", "psnr"}, default "eye"
        What the encoder optimizes, as for `gaussianimage.encode`.
    effort : int, default 5
        Effort from 1 (fastest) to 10 (smallest file).
    tile : int, default 1024
        Height and width of a tile in pixels, 64 to 16384.
    metadata : str or collection of str, default "all"
        Metadata that the file keeps, as for `gaussianimage.encode`.
    progressive : bool, default True
        Whether tiles have layers, as for `gaussianimage.encode`.
    seed : int, default 0
        Seed of the fits. The same picture, options and seed give the same file, whatever the number
        of threads and of interruptions.
    threads : int, optional
        Number of tiles to encode at a time, 1 to 256; by default as many as there are CPUs for this
        process. With Ray, the number of its workers, by default as many as it has CPUs.
    engine : {"local", "ray"}
        Where tiles are encoded: on threads of this process, or on Ray, which needs
        `pip install gaussianimage[ray]`. This process reads the picture and writes the file. The
        file is the same.
    address : str, optional
        Address of a Ray cluster, such as "auto" on one of its machines. Without it, Ray starts on
        this machine, unless this process has started it already.
    resume : bool, default True
        Go on with the tiles that an interrupted call has left. If not, the work starts over.
    progress : callable, optional
        Function that takes a `Progress` after each tile.

    Returns
    -------
    TiledResult

    Raises
    ------
    KeyboardInterrupt
        The user pressed Ctrl-C. The next call with the same arguments goes on.
    PictureError
        The picture can't be read, ends early, or has changed between the two readings.
    OSError
        The picture can't be read, or the file can't be written; the next call goes on.
    GaussianImageError
        A tile can't be fitted, or the tiles that an earlier call has left are of another picture or
        of other options.
    ImportError
        Ray is not installed.
    ConnectionError
        No cluster answers at the address, or Ray does not start.
    TypeError, ValueError
        An argument is of a wrong type or out of range.
    """
    began = time.perf_counter()
    options = _Options(
        quality=number("quality", quality, 0, 100),
        tune=Target("quality", quality).choose_tune(tune),
        effort=integer("effort", effort),
        seed=integer("seed", seed),
        tile=integer("tile", tile),
        progressive=bool(progressive),
    )
    if not 2 * TILE_SIDES[0] <= options.tile <= TILE_SIDES[1] // 2:
        raise ValueError(f"tile: expected 64 to 16384, got {tile}")
    if not 0 <= options.seed < 2**62:
        raise ValueError(f"seed: expected 0 to 2^62 - 1, got {seed}")
    level = effort_level(options.effort)
    check_engine(engine, address=address, jobs=threads)
    path = Path(path)
    with (
        open_rows(picture) as reader,
        closing(open_engine(engine, address=address, jobs=threads)) as workers,
    ):
        read = reader.metadata
        kept = keep(metadata, {"icc": read.icc, "exif": read.exif, "xmp": read.xmp})
        grid = plan_grid(reader.height, reader.width, options.tile)
        coarse = CoarseLevels.make(
            reader, grid, options.quality, path.absolute().parent, threads=threads
        )
        try:
            job = options.job(reader, coarse.checksums)
            part = path.with_name(path.name + WORK_SUFFIX)
            with WorkFile(part, job, resume=resume) as work:
                encoding = _Encoding(
                    reader, grid, coarse, work, options, level, thread_count(threads)
                )
                with _naming(part):
                    encoding.encode(workers, progress, began)
                    with atomic_output(path) as file:
                        size = write_tiled(
                            file,
                            encoding.header(),
                            Metadata(**kept),
                            grid,
                            gaussians=work.gaussians,
                            lengths=(work.lookup(k)[1] for k in range(grid.count)),
                            reaches=(work.lookup(k)[0] for k in range(grid.count)),
                            tiles=work.chunks(grid.count),
                        )
                tiles = sum(work.lookup(k)[1] > 0 for k in range(grid.count))
                gaussians = work.gaussians
                work.remove()
        finally:
            coarse.close()
    return TiledResult(
        path=path,
        height=reader.height,
        width=reader.width,
        gaussians=gaussians,
        tiles=tiles,
        bytes=size,
        psnr=encoding.psnr,
        seconds=time.perf_counter() - began,
    )


def plan_grid(height: int, width: int, tile: int) -> TileGrid:
    """Return the levels and tiles of a picture; the coarsest level is a single tile."""
    levels = 1
    while max(height, width) > tile * 2 ** (SHIFT * (levels - 1)):
        levels += 1
    return TileGrid(height, width, levels, SHIFT, tile, MARGIN)


@dataclass(frozen=True)
class _Options:
    """The options that decide what the tiles hold."""

    quality: float
    tune: Tune
    effort: int
    seed: int
    tile: int
    progressive: bool

    def job(self, reader: RowReader, checksums: list[int]) -> dict[str, Any]:
        """Return what tells this work from other work, as JSON can hold it."""
        picture = zlib.crc32(np.array(checksums, "<u4").tobytes())
        size = [reader.height, reader.width, reader.channels, reader.bit_depth]
        return {
            "quality": self.quality,
            "tune": self.tune,
            "effort": self.effort,
            "seed": self.seed,
            "tile": self.tile,
            "progressive": self.progressive,
            "size": size,
            "picture": picture,
        }


class _Encoding:
    """Encodes all tiles of a picture to a work file."""

    def __init__(
        self,
        reader: RowReader,
        grid: TileGrid,
        coarse: CoarseLevels,
        work: WorkFile,
        options: _Options,
        effort: Effort,
        threads: int,
    ) -> None:
        self._reader = reader
        self._grid = grid
        self._coarse = coarse
        self._work = work
        self._options = options
        self._effort = effort
        self._threads = threads
        self._step = coarse.statistics.step(reader.bit_depth)
        self._background = np.rint(coarse.statistics.mean * BACKGROUND_LEVELS).astype(int)
        self._drawn = DrawnTiles(grid, self._background / BACKGROUND_LEVELS, Q_MAX)
        self._window: Window | None = None
        self._squared_error = 0.0

    @property
    def _has_alpha(self) -> bool:
        return self._reader.channels % 2 == 0

    def header(self) -> Header:
        """Return the header of the file."""
        parameters = QuantizerParameters(
            nearest_color_index(self._step),
            SHAPE_STEP_ONE,
            tuple(int(level) for level in self._background),
        )
        return Header(
            height=self._reader.height,
            width=self._reader.width,
            channels=self._reader.channels,
            bit_depth=self._reader.bit_depth,
            gaussians=0,
            layers=0,
            q_max=Q_MAX,
            work=0,
            parameters=parameters.to_bytes(),
            alpha_map=bytes([USUAL]) if self._has_alpha else b"",
        )

    @property
    def psnr(self) -> float:
        """PSNR of the decoded picture in dB."""
        samples = self._reader.height * self._reader.width * self._reader.channels
        if self._squared_error == 0:
            return math.inf
        return -10 * math.log10(self._squared_error / samples)

    def encode(self, engine: Engine, progress: OnProgress | None, began: float) -> None:
        """Encode the tiles that are not in the work file yet."""
        before = len(self._work)
        with ThreadPoolExecutor(self._threads or _native.cpus(), "tiles") as pool:
            for _ in self._tiles(engine, pool):
                if progress is not None:
                    progress(self._progress(before, began))

    def _progress(self, before: int, began: float) -> Progress:
        done, count = len(self._work), self._grid.count
        seconds = time.perf_counter() - began
        left = count - done
        return Progress(
            stage="tiles",
            iteration=done,
            iterations=count,
            gaussians=self._work.gaussians,
            psnr=math.nan,
            seconds=seconds,
            seconds_left=seconds / (done - before) * left if done > before else math.inf,
            done=done / count,
        )

    def _tiles(self, engine: Engine, pool: ThreadPoolExecutor) -> Iterator[TilePlace]:
        """Encode all tiles, and yield the place of each when it is done."""
        for level, (rows, columns) in enumerate(self._grid.shapes):
            finest = level == self._grid.levels - 1
            options = self._tile_options(level)
            if finest:
                self._window = Window(self._reader, self._coarse.checksums)
            for row in range(rows):
                if self._window is not None:
                    first = self._grid.frame(TilePlace(level, max(row - 1, 0), 0))
                    here = self._grid.frame(TilePlace(level, row, 0))
                    self._window.keep(first.top, here.top + here.height)
                for phase in (range(0, columns, 2), range(1, columns, 2)):
                    places = [TilePlace(level, row, column) for column in phase]
                    yield from self._encode_phase(engine, places, options)
                if finest and row > 0:
                    self._measure(pool, row - 1)
                if finest:
                    # No Gaussian reaches a whole tile beyond its own.
                    self._drawn.drop_rows(level, row - 1)
            if finest:
                self._measure(pool, rows - 1)

    def _tile_options(self, level: int) -> TileOptions:
        quality = self._options.quality
        return TileOptions(
            self._step,
            self._coarse.masking(level) if self._options.tune == "eye" else None,
            step_for_quality(quality) if quality >= LEAST_REPAIRED else None,
            self._effort,
            self._reader.bit_depth,
            self._options.progressive,
            self._coarse.statistics.room,
        )

    def _encode_phase(
        self, engine: Engine, places: list[TilePlace], options: TileOptions
    ) -> Iterator[TilePlace]:
        """Encode tiles that do not see each other."""
        finished = [
            (place, *self._decode(place))
            for place in places
            if self._grid.number(place) in self._work
        ]
        new = [place for place in places if self._grid.number(place) not in self._work]
        threads = 1
        if engine.local:
            threads = max(1, engine.workers // max(1, len(new)))
        jobs = ([self._job(place, options)] for place in new)
        work = partial(encode_jobs, threads)
        with closing(run_with_second_try(engine, work, jobs)) as returned:
            for (job,), results, error in returned:
                place = job.frame.place
                if isinstance(error, LostTwiceError):
                    raise GaussianImageError(f"{place} can't be encoded: {error}") from error
                if error is not None:
                    raise error
                result: TileResult = results[0]
                self._work.append(self._grid.number(place), result)
                finished.append((place, result.tile, result.reach))
                yield place
        for place, tile, reach in finished:
            self._drawn.add(place, tile, reach)

    def _job(self, place: TilePlace, options: TileOptions) -> TileJob:
        frame = self._grid.frame(place)
        return TileJob(
            self._frame(place),
            self._crop(place.level, frame),
            self._drawn.within(place.level, frame),
            options,
            self._options.seed + self._grid.number(place),
        )

    def _decode(self, place: TilePlace) -> tuple[DecodedTile, int]:
        """Return a tile of the work file and how far it reaches."""
        number = self._grid.number(place)
        reach, length = self._work.lookup(number)
        if length == 0:
            return empty_tile(self._reader.channels), 0
        data = self._work.read(number)
        return decode_tile(self._frame(place), data, reach, DEFAULT_LIMITS, self._threads), reach

    def _frame(self, place: TilePlace) -> TileFrame:
        return TileFrame(self._grid, place, self._reader.channels, Q_MAX, self._has_alpha)

    def _crop(self, level: int, frame: Frame) -> Samples | Pixels:
        """Return the picture in a frame of a level: samples of the finest, pixels of others."""
        if self._window is not None:
            return self._window.crop(frame)
        rows = self._coarse.read(level, frame.top, frame.top + frame.height)
        return rows[:, frame.left : frame.left + frame.width]

    def _measure(self, pool: ThreadPoolExecutor, row: int) -> None:
        """Add the squared error of a row of tiles, whose neighbors are all encoded."""
        level = self._grid.levels - 1
        side = self._grid.side
        height, width = self._grid.sizes[level]
        frames = [
            Frame(row * side, left, min(side, height - row * side), min(side, width - left))
            for left in range(0, width, side)
        ]
        self._squared_error += sum(pool.map(self._squared_error_in, frames))

    def _squared_error_in(self, frame: Frame) -> float:
        level = self._grid.levels - 1
        source = to_pixels(self._crop(level, frame))
        drawn = self._drawn.within(level, frame).draw(1)
        classes = classes_of_frame(source, self._reader.bit_depth)
        if classes is not None:
            with_exact_alpha(drawn, classes)
        return squared_error(drawn, source, self._reader.bit_depth)


def squared_error(drawn: NDArray[np.float32], source: Pixels, bit_depth: int) -> float:
    """Return the sum of squared errors of a drawing that is rounded to a bit depth."""
    white = np.float32(2**bit_depth - 1)
    np.clip(drawn, 0, 1, out=drawn)
    drawn *= white
    np.rint(drawn, out=drawn)
    drawn /= white
    drawn -= source
    return float(np.einsum("ijk,ijk->", drawn, drawn, dtype=np.float64))


@contextmanager
def _naming(part: Path) -> Iterator[None]:
    """Say in a note of an error where the encoded tiles are."""
    try:
        yield
    except (GaussianImageError, OSError, KeyboardInterrupt) as error:
        error.add_note(f"the encoded tiles are in {part}; the same call goes on with them")
        raise

"""Writing a Deep Zoom Image: a .dzi file and a folder of tiles, for any web server."""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from gaussianimage._util.files import write_atomic
from gaussianimage.deepzoom.picture_tiles import PictureTiles

FOLDER_SUFFIX = "_files"


def write_dzi(
    tiles: PictureTiles,
    path: str | os.PathLike[str],
    *,
    threads: int = 1,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write a picture as a Deep Zoom Image.

    Parameters
    ----------
    tiles : PictureTiles
        The picture.
    path : str or os.PathLike
        Name of the ``.dzi`` file. The tiles of ``a.dzi`` go to the folder ``a_files`` beside it,
        which appears when all tiles are written. The ``.dzi`` file comes last.
    threads : int
        Tiles to encode at a time.
    overwrite : bool
        Replace a folder that is there.
    progress : callable, optional
        Called with the number of tiles that are written and of all tiles.

    Returns
    -------
    int
        Number of tiles.

    Raises
    ------
    FileExistsError
        The folder is there, and `overwrite` is not set.
    TileError, FormatError, LimitError, OSError
        The file can't be read, or the tiles can't be written. Nothing is left of them.
    """
    path = Path(path)
    folder = path.with_name(path.stem + FOLDER_SUFFIX)
    if folder.exists() and not overwrite:
        raise FileExistsError(f"{folder} is there already")
    unfinished = folder.with_name(f".{folder.name}.{os.urandom(4).hex()}.gaussianimage-tmp")
    try:
        count = _write_tiles(tiles, unfinished, threads, progress)
        old = None
        if folder.exists():
            old = folder.with_name(f"{unfinished.name}-old")
            folder.rename(old)
        unfinished.rename(folder)
        write_atomic(path, tiles.pyramid.to_xml(tiles.extension).encode())
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        with suppress(OSError):
            shutil.rmtree(unfinished)
        raise
    return count


def _write_tiles(
    tiles: PictureTiles,
    folder: Path,
    threads: int,
    progress: Callable[[int, int], None] | None,
) -> int:
    pyramid = tiles.pyramid
    shapes = [pyramid.shape(level) for level in range(pyramid.levels)]
    total = sum(rows * columns for rows, columns in shapes)
    written = 0
    with ThreadPoolExecutor(threads, "tiles") as pool:
        for level in reversed(range(pyramid.levels)):
            rows, columns = shapes[level]
            here = folder / str(level)
            here.mkdir(parents=True)
            for row in range(rows):
                # A whole row of tiles is drawn at once, because each drawing has a fixed cost.
                top, _, height, _ = pyramid.box(level, 0, row)
                band = tiles.draw(level, (top, 0, height, pyramid.size(level)[1]))

                def save(column: int) -> None:
                    _, left, _, width = pyramid.box(level, column, row)  # noqa: B023
                    data = tiles.encode(band[:, left : left + width])  # noqa: B023
                    (here / f"{column}_{row}.{tiles.extension}").write_bytes(data)  # noqa: B023

                for _ in pool.map(save, range(columns)):
                    pass
                written += columns
                if progress is not None:
                    progress(written, total)
    return total

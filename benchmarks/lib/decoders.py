"""Decoders of one picture at equal PSNR, ours and Pillow's, and the time of the parts of ours."""

import io
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from PIL import AvifImagePlugin, Image

import gaussianimage
from gaussianimage import Decoder, _native
from gaussianimage.codec.decoder.file import layer_chunks, parse_file
from gaussianimage.metrics import psnr
from lib.harness import Timing, take_turns, timings_as_json
from lib.pictures import Bytes
from lib.rivals import RIVALS, decode, encode_at_psnr

OURS = "gaussianimage"
BATCH = 16  # pictures in a batch


def decoded(data: bytes, threads: int = 1) -> Bytes:
    """Decode with Pillow to an array. Only AVIF can use more than one thread."""
    AvifImagePlugin.DEFAULT_MAX_THREADS = threads
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


def compare(pixels: Bytes, count: int, effort: int, threads: Sequence[int], rounds: int) -> Any:
    """Encode a picture with every codec and let all decoders take turns.

    Parameters
    ----------
    pixels : ndarray, (H, W, 3), uint8
    count : int
        Gaussians to ask for.
    effort : int
        Of our encoder.
    threads : sequence of int
    rounds : int

    Returns
    -------
    dict
        As benchmarks/README.md describes a member of `results`.
    """
    start = time.perf_counter()
    data = gaussianimage.encode(pixels, gaussians=count, effort=effort)
    seconds = {OURS: time.perf_counter() - start}
    files = {OURS: data}
    target = psnr(pixels, gaussianimage.decode(data))
    for rival in RIVALS:
        if rival.available:
            files[rival.name] = encode_at_psnr(rival, pixels, target)
    timings: dict[str, Timing] = take_turns(_contestants(files, threads), rounds=rounds)
    batches = take_turns(
        {
            f"{name}, {many} at a time": batch(name, file, many)
            for name, file in files.items()
            for many in threads
        },
        rounds=max(2, rounds // 10),
        warmup=1,
    )
    return {
        "gaussians": gaussianimage.info(data).gaussians,
        "files": {
            name: {"bytes": len(file), "psnr": psnr(pixels, _pixels(name, file))}
            for name, file in files.items()
        },
        "encode_seconds": seconds,
        "seconds": timings_as_json(timings),
        "frames_per_second": {name: BATCH / timing.median for name, timing in batches.items()},
    }


def _contestants(files: Mapping[str, bytes], threads: Sequence[int]) -> dict[str, Any]:
    contestants: dict[str, Callable[[], object]] = {}
    for count in threads:
        contestants |= parts(files[OURS], count)
    for name, file in files.items():
        if name.startswith("AVIF"):
            for count in threads:
                contestants[f"{name}, {_threads(count)}"] = lambda file=file, count=count: decoded(
                    file, count
                )
        elif name != OURS:
            contestants[f"{name}, {_threads(1)}"] = lambda file=file: decoded(file)
    return contestants


def parts(data: bytes, threads: int) -> dict[str, Callable[[], object]]:
    """Return our decoder into an existing array and into a new one, and its two halves."""
    file = parse_file(data)
    header = file.header
    chunks = layer_chunks(file, None)
    quantizer = file.layers.parameters.quantizer(header.height, header.width)
    payloads = [bytes(chunk.payload) for chunk in chunks]
    layers = (quantizer, payloads, header.layers, header.gaussians, threads)
    _, gaussians = _native.decode_layers(*layers)
    size = (header.height, header.width)
    decoder, out = Decoder(threads=threads), gaussianimage.decode(data)
    used = _threads(threads)
    return {
        f"{OURS}, {used}": lambda: decoder.decode(data, out),
        f"{OURS}, new array, {used}": lambda: gaussianimage.decode(data, threads=threads),
        f"entropy decoding alone, {used}": lambda: _native.decode_layers(*layers),
        f"render alone, {used}": lambda: _native.render_bytes(
            *gaussians, header.q_max, *size, None, threads
        ),
    }


def batch(name: str, file: bytes, threads: int) -> Callable[[], object]:
    """Return a function that decodes a batch of copies of a file, some at a time."""
    if name == OURS:

        def ours() -> None:
            for _ in gaussianimage.decode_many([file] * BATCH, threads=threads):
                pass

        return ours

    def theirs() -> None:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(decoded, [file] * BATCH):
                pass

    return theirs


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _pixels(name: str, file: bytes) -> Bytes:
    return gaussianimage.decode(file) if name == OURS else decode(file)

"""Our decoder and the rivals' on one picture at equal PSNR, and the time of the parts of ours."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import gaussianimage
from gaussianimage import Decoder, _native
from gaussianimage.codec.decoder.file import layer_chunks, parse_file
from gaussianimage.metrics import bpp, psnr
from lib.harness import Timing, take_turns, timings_as_json
from lib.pictures import Bytes
from lib.rival_decoders import RivalDecoder
from lib.rivals import encode_at_psnr

OURS = "gaussianimage"
BATCH = 16  # pictures in a batch

Call = Callable[[], object]


def compare(
    pixels: Bytes,
    target: Mapping[str, float],
    effort: int,
    rivals: Sequence[RivalDecoder],
    threads: Sequence[int],
    rounds: int,
) -> dict[str, Any]:
    """Encode a picture with every codec and let all decoders take turns.

    Parameters
    ----------
    pixels : ndarray, (H, W, 3), uint8
    target : mapping
        The target of our encoder, as keyword: `bpp` or `gaussians`.
    effort : int
        Of our encoder.
    rivals : sequence of RivalDecoder
        Each decodes the smallest file of its codec whose PSNR is not below ours.
    threads : sequence of int
    rounds : int

    Returns
    -------
    dict
        As benchmarks/README.md describes a member of `results`.
    """
    start = time.perf_counter()
    # The files are compared at equal PSNR.
    ours = gaussianimage.encode(pixels, effort=effort, tune="psnr", **target)
    encode_seconds = {OURS: time.perf_counter() - start}
    shown = gaussianimage.decode(ours)
    files = rival_files(rivals, pixels, psnr(pixels, shown))
    shown_by = {OURS: shown} | {rival.name: rival.decode(files[rival.name], 1) for rival in rivals}
    contestants: dict[str, Call] = {}
    for count in threads:
        contestants |= parts(ours, count)
    batches = {f"{OURS}, {many} at a time": our_batch(ours, many) for many in threads}
    for rival in rivals:
        file = files[rival.name]
        for count in threads if rival.uses_threads else [1]:
            contestants[f"{rival.name}, {_threads(count)}"] = partial(rival.decode, file, count)
        for many in threads:
            batches[f"{rival.name}, {many} at a time"] = batch(rival, file, many)
    timings: dict[str, Timing] = take_turns(contestants, rounds=rounds)
    batch_timings = take_turns(batches, rounds=max(2, rounds // 10), warmup=1)
    return {
        "gaussians": gaussianimage.info(ours).gaussians,
        "files": {
            name: {
                "bytes": len(file),
                "bpp": bpp(len(file), *pixels.shape[:2]),
                "psnr": psnr(pixels, shown_by[name]),
            }
            for name, file in ({OURS: ours} | files).items()
        },
        "encode_seconds": encode_seconds,
        "seconds": timings_as_json(timings),
        "frames_per_second": {
            name: BATCH / timing.median for name, timing in batch_timings.items()
        },
    }


def rival_files(rivals: Sequence[RivalDecoder], pixels: Bytes, target: float) -> dict[str, bytes]:
    """Return the file for each decoder, one for all decoders of a codec, at `target` dB or more."""
    by_codec = {
        key: encode_at_psnr(rival, pixels, target)
        for key, rival in {decoder.rival.key: decoder.rival for decoder in rivals}.items()
    }
    return {decoder.name: by_codec[decoder.rival.key] for decoder in rivals}


def parts(data: bytes, threads: int) -> dict[str, Call]:
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


def our_batch(file: bytes, threads: int) -> Call:
    """Return a function that decodes a batch of copies of our file, some at a time."""

    def decode_all() -> None:
        for _ in gaussianimage.decode_many([file] * BATCH, threads=threads):
            pass

    return decode_all


def batch(rival: RivalDecoder, file: bytes, threads: int) -> Call:
    """Return a function that decodes a batch of copies of a rival's file, some at a time."""

    def decode_all() -> None:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(rival.decode, [file] * BATCH, [1] * BATCH):
                pass

    return decode_all


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"

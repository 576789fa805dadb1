"""Make every allocation of a native call fail in turn; run with the library of failing_new.cpp.

Usage: allocations.py NAME

Each try is a process of its own, forked before anything has run, so that what is allocated once
fails too: the pool of threads, the memory that a thread keeps. Prints how many allocations there
were.
"""

import ctypes
import hashlib
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from gaussianimage import Decoder, Gaussians, _native, decode, gradient, render
from gaussianimage.codec.decoder.decode import decode_gaussians
from gaussianimage.codec.encoder.serialize import serialize
from gaussianimage.codec.format.levels import QuantizedGaussians
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.quantizer import QuantizerParameters
from gaussianimage.fitting.memory import measure_overlaps

HEIGHT, WIDTH, COUNT = 300, 200, 600
SETTINGS = QuantizerParameters(60, 128, (30000, 20000, 10000))
REACHED_END, FOUND, WRONG = 0, 1, 2


def levels(seed: int) -> QuantizedGaussians:
    """Return a layer of Gaussians of some pixels."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, 1, (COUNT, 2)) * [WIDTH, HEIGHT]
    color = rng.integers(-9, 10, (COUNT, 3))
    color[:, 0] = 12
    shape = np.column_stack((rng.integers(0, 30, COUNT), rng.integers(-3, 4, (COUNT, 2))))
    precision = np.full(COUNT, 4, np.uint8)
    return QuantizedGaussians(precision, *(part.astype(np.int32) for part in (place, color, shape)))


def gaussians() -> Gaussians:
    """Return Gaussians of some pixels."""
    rng = np.random.default_rng(1)
    means = rng.uniform(0, 1, (COUNT, 2)) * [WIDTH, HEIGHT]
    factor = np.tile([4.0, 1.0, 3.0], (COUNT, 1))
    return Gaussians.from_cholesky(means, factor, rng.normal(size=(COUNT, 3)), HEIGHT, WIDTH)


def optimized() -> Any:
    """Return the state after some iterations of every kind."""
    scene = gaussians()
    target = np.linspace(0, 1, HEIGHT * WIDTH * 3, dtype=np.float32).reshape(HEIGHT, WIDTH, 3)
    optimizer = _native.Optimizer(target, scene.q_max, 2)
    optimizer.add(scene.means, scene.cholesky(), scene.colors.astype(np.float32))
    optimizer.adam(np.full((2, 3), 0.01, np.float32), 0.0)
    measure_overlaps(optimizer)
    optimizer.gauss_newton(np.full(2, 0.1, np.float32), 0.0, 1.0)
    sides = np.arange(HEIGHT * WIDTH * 3).reshape(HEIGHT, WIDTH, 3) % 3 - 1
    optimizer.allow_beyond(sides.astype(np.int8), 0.1)
    optimizer.solve_colors(2, 0.01)
    optimizer.bake(np.arange(COUNT, dtype=np.uint8) % 2)
    optimizer.residual_magnitudes()
    optimizer.residual_at(np.arange(0, HEIGHT * WIDTH, 7))
    return optimizer.residual()


def encoded() -> Any:
    """Return the bytes of two layers."""
    return np.frombuffer(file(), np.uint8)


def grained() -> Any:
    """Return pixels with grain, whose levels have been coded."""
    levels = np.arange(2 * 5, dtype=np.uint8).reshape(2, 1, 5)
    coded = _native.encode_grain_levels(levels)
    found = _native.decode_grain_levels(coded, 2, 1)
    pixels = np.full((HEIGHT, WIDTH, 3), 99, np.uint8)
    size = HEIGHT, WIDTH
    _native.add_grain(pixels, found, size, 0, 8, (64, 64, 64), size, (0, 0, *size), 2)
    return pixels


def mapped() -> Any:
    """Return pixels of alpha with a map, which has been coded and laid under another size."""
    classes = np.indices((40, 50)).sum(axis=0).astype(np.uint8) // 30
    coded = _native.encode_alpha_map(classes)
    found = _native.decode_alpha_map(coded, 40, 50)
    sets = np.zeros((HEIGHT, WIDTH), np.uint8)
    size = HEIGHT, WIDTH
    _native.add_alpha_sets(sets, found, (0, 0, 40, 50), (40, 50), size, (0, 0, *size), 2)
    _native.alpha_sets_to_classes(sets)
    scene = gaussians()
    colors = np.full((len(scene), 2), 0.4, np.float32)
    return _native.render_samples(
        scene.means, scene.cholesky(), colors, 4.5, *size, None, 2, 2, sets
    )


def file() -> bytes:
    """Return a file of two layers."""
    layers = [levels(1), levels(2)]
    return serialize(
        layers, SETTINGS, Metadata(), height=HEIGHT, width=WIDTH, bit_depth=8, q_max=4.5
    )


def calls(data: bytes) -> dict[str, Callable[[], Any]]:
    """Return the calls to try, by name."""
    scene = gaussians()
    residual = np.ones((HEIGHT, WIDTH, 3), np.float32)
    return {
        "decode": lambda: decode(data, threads=2),
        "decode_float": lambda: Decoder(threads=2).decode(data, dtype=np.float32),
        "decode_small": lambda: decode(data, size=(31, 23), threads=1),
        "decode_gaussians": lambda: decode_gaussians(data, threads=2).covariance,
        "render": lambda: render(scene, threads=2),
        "render_bytes": lambda: render(scene, dtype=np.uint8, threads=2),
        "gradient": lambda: gradient(scene, residual, threads=2).means,
        "grain": grained,
        "alpha": mapped,
        "encode": encoded,
        "optimize": optimized,
        "see": seen,
    }


def seen() -> Any:
    """Return all that is measured of a picture and an error for the eye."""
    picture = np.linspace(0, 1, HEIGHT * WIDTH * 3, dtype=np.float32).reshape(HEIGHT, WIDTH, 3)
    error = picture[::-1].copy()
    blocks = np.arange(4)
    shapes = np.array([(1, 1), (0, 3)], np.int32)
    light, lost = (_native.luma(values, (0.3, 0.6, 0.1), 2) for values in (picture, error))
    found = [
        *_native.block_contrast(picture, blocks, 2),
        _native.block_excess(picture, error, light + 1, blocks, 2),
        *_native.block_spots(error, light + 1, blocks, shapes, 2, 2),
        _native.gradient_magnitudes(picture, 2),
        _native.local_variance(light, 2),
        _native.emphasis(light, lost, 0.01, 2),
    ]
    for radius in (1, 2):
        _native.blur_twice(light, radius, 2)
    weights = _native.combine_scales(light, 1.0, light, 1.0, 1, 2)
    _native.normalize_weights(weights, 0.2, 5.0, 3, 2)
    return np.concatenate([np.asarray(values, np.float64).ravel() for values in (*found, weights)])


def attempt(call: Callable[[], Any], n: int, library: ctypes.CDLL, expected: str) -> int:
    """Let allocation n fail; check that the call raises MemoryError and then works again."""
    module = ctypes.cast(ctypes.CDLL(_native.__file__).PyInit__native, ctypes.c_void_p)
    library.fail_allocation(module, n)
    told = False
    try:
        found = call()
    except MemoryError:
        told = True
    finally:
        failed = bool(library.allocation_failed())
        library.fail_allocation(module, -1)
    # Some are done without: a sort in place, fewer threads. Then the result must be right.
    if (told and not failed) or (not told and digest(found) != expected):
        return WRONG
    for _ in range(2):
        if digest(call()) != expected:
            return WRONG
    return FOUND if failed else REACHED_END


def digest(array: Any) -> str:
    """Return the SHA-256 of an array."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def in_child(task: Callable[[], bytes]) -> tuple[int, bytes]:
    """Run a task in a fork; its exit status, and what it returns."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 99
        try:
            result = task()
            os.write(writer, result[1:])
            status = result[0]
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), told


def main(name: str) -> None:
    """Try one call."""
    library = ctypes.CDLL(None)
    library.fail_allocation.argtypes = [ctypes.c_void_p, ctypes.c_long]
    library.allocation_failed.restype = ctypes.c_bool
    # nanobind ends the process when its table of instances can't grow: let it be large enough.
    warmed = [_native.Quantizer(1, 1, 1, 1.0, 1.0) for _ in range(1000)]
    del warmed
    # Whatever else runs natively does so in a child: this process stays as it is at first.
    data = in_child_file()
    call = calls(data)[name]
    status, expected = in_child(lambda: b"\0" + digest(call()).encode())
    if status != 0:
        raise SystemExit(f"{name} ends with status {status} when nothing fails")
    for n in range(10_000):
        status, _ = in_child(lambda n=n: bytes([attempt(call, n, library, expected.decode())]))
        if status == REACHED_END:
            sys.stdout.write(f"{n}\n")
            return
        if status != FOUND:
            raise SystemExit(f"{name}: allocation {n} ends with status {status}")
    raise SystemExit(f"{name}: it never ends")


def in_child_file() -> bytes:
    """Return the file, made in a child."""
    status, data = in_child(lambda: b"\0" + file())
    if status != 0:
        raise SystemExit("the file can't be made")
    return data


if __name__ == "__main__":
    main(sys.argv[1])

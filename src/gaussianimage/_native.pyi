"""Types of the native engine; private, use gaussianimage's public functions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

def render_bytes(
    means: NDArray[np.float64],
    cholesky: NDArray[np.float64],
    colors: NDArray[np.float32],
    q_max: float,
    height: int,
    width: int,
    crop: tuple[int, int, int, int] | None,
    threads: int,
) -> NDArray[np.uint8]: ...
def render_floats(
    means: NDArray[np.float64],
    cholesky: NDArray[np.float64],
    colors: NDArray[np.float32],
    q_max: float,
    height: int,
    width: int,
    crop: tuple[int, int, int, int] | None,
    threads: int,
) -> NDArray[np.float32]: ...
def render_samples(
    means: NDArray[np.float64],
    cholesky: NDArray[np.float64],
    colors: NDArray[np.float32],
    q_max: float,
    height: int,
    width: int,
    crop: tuple[int, int, int, int] | None,
    threads: int,
    kind: int,
    classes: NDArray[np.uint8] | None,
) -> NDArray[Any]: ...
def work(
    means: NDArray[np.float64],
    cholesky: NDArray[np.float64],
    colors: NDArray[np.float32],
    q_max: float,
    height: int,
    width: int,
    crop: tuple[int, int, int, int] | None,
    threads: int,
) -> int: ...
def gradient(
    means: NDArray[np.float64],
    cholesky: NDArray[np.float64],
    colors: NDArray[np.float32],
    q_max: float,
    residual: NDArray[np.float32],
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]: ...
def blur_twice(values: NDArray[np.float32], radius: int, threads: int) -> None: ...
def gradient_magnitudes(values: NDArray[np.float32], threads: int) -> NDArray[np.float32]: ...

BLOCK: int

def block_contrast(
    pixels: NDArray[np.float32], blocks: NDArray[np.int64], threads: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
def block_peaks(
    errors: NDArray[np.float32],
    weights: NDArray[np.float32] | None,
    blocks: NDArray[np.int64],
    threads: int,
) -> NDArray[np.float32]: ...
def block_excess(
    pixels: NDArray[np.float32],
    errors: NDArray[np.float32],
    weights: NDArray[np.float32] | None,
    blocks: NDArray[np.int64],
    threads: int,
) -> NDArray[np.float64]: ...
def block_spots(
    errors: NDArray[np.float32],
    weights: NDArray[np.float32] | None,
    blocks: NDArray[np.int64],
    shapes: NDArray[np.int32],
    rounds: int,
    threads: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]: ...
def luma(
    values: NDArray[np.float32], parts: tuple[float, float, float], threads: int
) -> NDArray[np.float32]: ...
def local_variance(values: NDArray[np.float32], threads: int) -> NDArray[np.float32]: ...
def emphasis(
    light: NDArray[np.float32], error: NDArray[np.float32], noise: float, threads: int
) -> NDArray[np.float32]: ...
def combine_scales(
    fine: NDArray[np.float32],
    fine_mean: float,
    coarse: NDArray[np.float32],
    coarse_mean: float,
    scale: int,
    threads: int,
) -> NDArray[np.float32]: ...
def normalize_weights(
    weights: NDArray[np.float32], low: float, high: float, rounds: int, threads: int
) -> None: ...
def draw_pixels(values: NDArray[np.float32], shares: NDArray[np.float64]) -> NDArray[np.int64]: ...
def compiler() -> str: ...
def cpus() -> int: ...
def instruction_set() -> str: ...
def select_instruction_set(name: str) -> bool: ...

class StopFlag:
    def __init__(self) -> None: ...
    def set(self) -> None: ...
    def clear(self) -> None: ...
    def is_set(self) -> bool: ...

def obey(flag: StopFlag | None) -> StopFlag | None: ...

class Optimizer:
    steps: int
    means: NDArray[np.float64]  # (N, 2)
    cholesky: NDArray[np.float64]  # (N, 3)
    colors: NDArray[np.float32]  # (N, C)
    first: NDArray[np.float32]  # (N, 5 + C)
    second: NDArray[np.float32]  # (N, 5 + C)
    age: NDArray[np.uint32]  # (N,)
    trainable: NDArray[np.uint8]  # (N,)
    coarse: bool
    block_weight: float
    def __init__(self, target: NDArray[np.float32], q_max: float, threads: int) -> None: ...
    def weigh(self, weights: NDArray[np.float32]) -> None: ...
    def allow_beyond(self, sides: NDArray[np.int8], room: float) -> None: ...
    def __len__(self) -> int: ...
    def reserve(self, count: int) -> None: ...
    def add(
        self,
        means: NDArray[np.float64],
        cholesky: NDArray[np.float64],
        colors: NDArray[np.float32],
    ) -> None: ...
    def keep(self, keep: NDArray[np.uint8]) -> None: ...
    def bake(self, bake: NDArray[np.uint8]) -> None: ...
    def adam(
        self, rates: NDArray[np.float32], energy: float, bits: float = 0, step: float = 1
    ) -> NDArray[np.float64]: ...
    def gauss_newton(
        self,
        rates: NDArray[np.float32],
        energy: float,
        step: float,
        bits: float = 0,
        area: float = 0,
    ) -> NDArray[np.float64]: ...
    def overlaps(self) -> NDArray[np.float64]: ...
    def solve_colors(self, iterations: int, ridge: float) -> float: ...
    def residual(self) -> NDArray[np.float32]: ...
    def residual_magnitudes(self) -> NDArray[np.float32]: ...
    def residual_sums(self, parts: NDArray[np.float32]) -> NDArray[np.float32]: ...
    def residual_at(self, pixels: NDArray[np.int64]) -> NDArray[np.float32]: ...

class PaperTraining:
    steps: int
    best_error: float
    def __init__(
        self,
        target: NDArray[np.float32],
        means: NDArray[np.float32],
        shape: NDArray[np.float32],
        colors: NDArray[np.float32],
        offsets: NDArray[np.float32],
        middle: NDArray[np.float32],
        reach: NDArray[np.float32],
        rotation: bool,
        angle: bool,
        q_max: float,
        threads: int,
    ) -> None: ...
    def follow_released_code(
        self, doubled_gradient: bool, tile_cut: bool, tile_entries: int
    ) -> None: ...
    def quantize_shapes(
        self, bits: int, factor: float, scale: NDArray[np.float32], beta: NDArray[np.float32]
    ) -> None: ...
    def quantize_colors(
        self, bits: int, factor: float, scale: NDArray[np.float32], beta: NDArray[np.float32]
    ) -> None: ...
    def quantize_colors_by_codebooks(
        self,
        codebooks: NDArray[np.float32],
        counts: NDArray[np.float32],
        sums: NDArray[np.float32],
        decay: float,
        commitment: bool,
        revive: bool,
    ) -> None: ...
    def run(self, rates: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def measure(self) -> float: ...
    def gradients(self) -> dict[str, NDArray[np.float32]]: ...
    def state(self) -> dict[str, NDArray[np.float32]]: ...
    def load_state(self, state: dict[str, NDArray[np.float32]]) -> None: ...

class Quantizer:
    def __init__(
        self, height: int, width: int, channels: int, color_step: float, shape_step: float
    ) -> None: ...
    def nearest_centers(
        self,
        means: NDArray[np.float64],
        precision: NDArray[np.uint8],
        color: NDArray[np.int32],
        shape: NDArray[np.int32],
    ) -> NDArray[np.int32]: ...
    def dequantize(
        self,
        precision: NDArray[np.uint8],
        position: NDArray[np.int32],
        color: NDArray[np.int32],
        shape: NDArray[np.int32],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]: ...

class LayerEncoder:
    def __init__(self, quantizer: Quantizer, layers: int) -> None: ...
    def tally(
        self,
        quantizer: Quantizer,
        precision: NDArray[np.uint8],
        position: NDArray[np.int32],
        color: NDArray[np.int32],
        shape: NDArray[np.int32],
    ) -> NDArray[np.uint32]: ...
    def encode(
        self,
        quantizer: Quantizer,
        precision: NDArray[np.uint8],
        position: NDArray[np.int32],
        color: NDArray[np.int32],
        shape: NDArray[np.int32],
    ) -> bytes: ...
    def measure(
        self,
        quantizer: Quantizer,
        precision: NDArray[np.uint8],
        position: NDArray[np.int32],
        color: NDArray[np.int32],
        shape: NDArray[np.int32],
        raw: bool = False,
    ) -> tuple[float, float, float]: ...

SYMBOL_MODELS: int

class SymbolCosts:
    def __init__(
        self, quantizer: Quantizer, counts: NDArray[np.uint32], classes: NDArray[np.uint32]
    ) -> None: ...

class CoordinateDescent:
    def __init__(
        self,
        quantizer: Quantizer,
        q_max: float,
        residual: Optimizer | NDArray[np.float32],
        roots: NDArray[np.float32] | None,
        block_weight: float,
        threads: int,
    ) -> None: ...
    def keep_within(self, left: float, top: float, right: float, bottom: float) -> None: ...
    def run_pass(
        self,
        quantizer: Quantizer,
        precision: NDArray[np.uint8],
        position: NDArray[np.int32],
        color: NDArray[np.int32],
        shape: NDArray[np.int32],
        sets: NDArray[np.uint8],
        costs: SymbolCosts,
        weight: float,
        threads: int,
    ) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]: ...
    def block_excess(
        self,
        pixels: NDArray[np.float32],
        bounds: NDArray[np.float32],
        blocks: NDArray[np.int64],
        threads: int,
    ) -> NDArray[np.float64]: ...
    def weigh_blocks(self, blocks: NDArray[np.int64], factors: NDArray[np.float64]) -> None: ...
    def copy_residual(self, to: NDArray[np.float32]) -> None: ...

def decode_layers(
    quantizer: Quantizer, layers: list[bytes], announced: int, most: int, threads: int
) -> tuple[list[int], tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]]: ...
def sixteenth_power(sixteenths: int) -> float: ...

class Layers:
    def __init__(
        self,
        quantizer: Quantizer,
        background: NDArray[np.float32],
        q_max: float,
        work: int,
        gaussians: int,
        announced: int,
        payloads: list[bytes],
        alpha_map: bytes,
    ) -> None: ...

def encode_alpha_map(classes: NDArray[np.uint8]) -> bytes: ...
def decode_alpha_map(data: bytes, height: int, width: int) -> NDArray[np.uint8] | None: ...
def add_alpha_sets(
    sets: NDArray[np.uint8],
    classes: NDArray[np.uint8],
    place: tuple[int, int, int, int],
    map_size: tuple[int, int],
    drawn_size: tuple[int, int],
    crop: tuple[int, int, int, int],
    threads: int,
) -> None: ...
def alpha_sets_to_classes(sets: NDArray[np.uint8]) -> None: ...
def encode_grain_levels(levels: NDArray[np.uint8]) -> bytes: ...
def decode_grain_levels(data: bytes, rows: int, columns: int) -> NDArray[np.uint8] | None: ...
def add_grain(
    pixels: NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32],
    levels: NDArray[np.uint8],
    size: tuple[int, int],
    seed: int,
    cell: int,
    brightness: tuple[int, int, int],
    drawn_size: tuple[int, int],
    crop: tuple[int, int, int, int],
    threads: int,
) -> None: ...

class Decoder:
    def __init__(self, keep_all: bool) -> None: ...
    def decode(
        self,
        data: bytes | bytearray | memoryview,
        kind: int,
        size: tuple[int, int] | None,
        crop: tuple[int, int, int, int] | None,
        layers: int,
        threads: int,
        limits: tuple[int, int, int, int, int, int],
        out: NDArray[Any] | None,
    ) -> NDArray[Any] | None: ...
    def draw(
        self,
        layers: Layers,
        kind: int,
        size: tuple[int, int] | None,
        crop: tuple[int, int, int, int] | None,
        threads: int,
        most_work: int,
        out: NDArray[Any] | None,
    ) -> tuple[int, int, bool, bool, NDArray[Any] | None]: ...
    def stop(self) -> None: ...

def __getattr__(name: str) -> Any: ...

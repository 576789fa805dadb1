"""Types of the native engine; private, use gaussianimage's public functions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

def render_bytes(
    means: NDArray[np.float64],
    cholesky: NDArray[np.float64],
    colors: NDArray[np.float32],
    q_max: float,
    left: float,
    top: float,
    height: int,
    width: int,
    threads: int,
) -> NDArray[np.uint8]: ...
def render_floats(
    means: NDArray[np.float64],
    cholesky: NDArray[np.float64],
    colors: NDArray[np.float32],
    q_max: float,
    left: float,
    top: float,
    height: int,
    width: int,
    threads: int,
) -> NDArray[np.float32]: ...
def gradient(
    means: NDArray[np.float64],
    cholesky: NDArray[np.float64],
    colors: NDArray[np.float32],
    q_max: float,
    residual: NDArray[np.float32],
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]: ...
def instruction_set() -> str: ...
def select_instruction_set(name: str) -> bool: ...

class Optimizer:
    means: NDArray[np.float64]  # (N, 2)
    cholesky: NDArray[np.float64]  # (N, 3)
    colors: NDArray[np.float32]  # (N, C)
    first: NDArray[np.float32]  # (N, 5 + C)
    second: NDArray[np.float32]  # (N, 5 + C)
    age: NDArray[np.uint32]  # (N,)
    trainable: NDArray[np.uint8]  # (N,)
    def __init__(self, target: NDArray[np.float32], q_max: float, threads: int) -> None: ...
    def __len__(self) -> int: ...
    def add(
        self,
        means: NDArray[np.float64],
        cholesky: NDArray[np.float64],
        colors: NDArray[np.float32],
    ) -> None: ...
    def keep(self, keep: NDArray[np.uint8]) -> None: ...
    def bake(self, bake: NDArray[np.uint8]) -> None: ...
    def run(self, rates: NDArray[np.float32], energy: float) -> NDArray[np.float64]: ...
    def solve_colors(self, iterations: int, ridge: float) -> float: ...
    def residual(self) -> NDArray[np.float32]: ...

def __getattr__(name: str) -> Any: ...

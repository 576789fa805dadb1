"""Where to compute: what a device must offer, the CPU's backend, and how that of a GPU is found.

The core imports nothing that a GPU needs. The distribution names its GPU backends as entry points
of the group `gaussianimage.backends`, and one is loaded when a caller asks for such a device.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from gaussianimage import _native
from gaussianimage.gaussians import Gaussians, to_float32

# The group of entry points. The name of one is a kind of device, such as "cuda"; its value is a
# callable that takes the device and returns a `Backend`.
ENTRY_POINTS: Final = "gaussianimage.backends"

# In pictures of this many pixels or more, the CPU's iterations draw large Gaussians on coarser
# grids. In smaller ones that gains nothing.
LEAST_COARSE_PIXELS = 2**14

Window = tuple[int, int, int, int]  # top, left, height, width, in pixels


class Renderer(Protocol):
    """Draws Gaussians."""

    def __call__(
        self, gaussians: Gaussians, window: Window | None, dtype: np.dtype[Any]
    ) -> NDArray[Any]:
        """Draw a part of the plane.

        Parameters
        ----------
        gaussians : Gaussians
            N Gaussians of C channels; those that aren't `drawable` draw nothing.
        window : (int, int, int, int) or None
            Top, left, height and width in pixels; the whole picture if None.
        dtype : dtype
            float32 for the plain sum, or uint8 for the sum clamped to [0, 1], times 255, rounded.

        Returns
        -------
        ndarray, (height, width, C)
        """


class FitOptimizer(Protocol):
    """The state of a fit and the steps that improve it: all that fitting needs of a device.

    The state is N Gaussians of C channels with Adam's moments. Every array is a copy when it is
    read, and has the same number of rows when it is written.
    """

    means: NDArray[np.float64]  # (N, 2), px
    cholesky: NDArray[np.float64]  # (N, 3), px
    colors: NDArray[np.float32]  # (N, C)
    first: NDArray[np.float32]  # (N, 5 + C): Adam's mean of the gradients, or velocities
    second: NDArray[np.float32]  # (N, 5 + C): Adam's mean of their squares, or overlaps
    age: NDArray[np.uint32]  # (N,): steps that each Gaussian has taken
    trainable: NDArray[np.uint8]  # (N,): the sum of 1 for position, 2 for shape, 4 for color

    @property
    def steps(self) -> int:
        """Iterations that were done so far."""

    def __len__(self) -> int:
        """Return N."""

    def weigh(self, weights: NDArray[np.float32]) -> None:
        """Let the squared error of each value count by a weight of 0 to 1, (H, W, C)."""

    def allow_beyond(self, sides: NDArray[np.int8], room: float) -> None:
        """Let the drawing exceed some values without an error.

        Parameters
        ----------
        sides : ndarray, (H, W, C), int8
            1 where it may exceed the picture upward, −1 where downward, 0 where not.
        room : float
            By how much.
        """

    def reserve(self, count: int) -> None:
        """Make room for as many Gaussians."""

    def add(
        self,
        means: NDArray[np.float64],
        cholesky: NDArray[np.float64],
        colors: NDArray[np.float32],
    ) -> None:
        """Add trainable Gaussians with moments of zero."""

    def keep(self, keep: NDArray[np.uint8]) -> None:
        """Remove the Gaussians whose entry is 0, (N,)."""

    def adam(self, rates: NDArray[np.float32], energy: float) -> NDArray[np.float64]:
        """Do one iteration of Adam per row of rates.

        Parameters
        ----------
        rates : ndarray, (K, 3), float32
            Step sizes for positions, shapes and colors.
        energy : float
            Weight κ of the penalty ½ κ Σ |c|² π l₁₁ l₂₂.

        Returns
        -------
        ndarray, (K,)
            The loss ½ Σ w (I − T)² before each iteration, without the penalty.
        """

    def overlaps(self) -> NDArray[np.float64]:
        """Return how much each Gaussian overlaps all, (N,).

        That is the sum of its row of the Gram matrix of Gaussians of unit energy, and 1 for one
        that overlaps no other.
        """

    def gauss_newton(
        self, rates: NDArray[np.float32], energy: float, step: float
    ) -> NDArray[np.float64]:
        """Do one Gauss–Newton step with momentum per rate.

        `first` has the velocities, and each column of `second` has the overlaps.

        Parameters
        ----------
        rates : ndarray, (K,), float32
            Parts of a full step.
        energy : float
            Weight κ of the penalty ½ κ Σ |c|² π l₁₁ l₂₂.
        step : float
            The amplitude |c| √(π l₁₁ l₂₂) of a Gaussian that hardly moves.

        Returns
        -------
        ndarray, (K,)
            The loss ½ Σ w (I − T)² before each step, without the penalty.
        """

    def solve_colors(self, iterations: int, ridge: float) -> float:
        """Solve for the trainable colors by conjugate gradients.

        Parameters
        ----------
        iterations : int
            At most; with 0 the colors stay as they are.
        ridge : float
            Relative to each Gaussian's own energy.

        Returns
        -------
        float
            The loss ½ Σ w (I − T)² after it.
        """

    def residual(self) -> NDArray[np.float32]:
        """Return w (I − T), (H, W, C)."""

    def residual_magnitudes(self) -> NDArray[np.float32]:
        """Return the sum of the magnitudes of w (I − T) over the channels, (H, W)."""

    def residual_at(self, pixels: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return w (I − T) at some pixels, which are numbered row by row, (K, C)."""


class Backend(Protocol):
    """A device that renders and fits."""

    @property
    def render(self) -> Renderer:
        """Draws Gaussians on the device."""

    @property
    def iterations_per_call(self) -> int:
        """Iterations in one call of `FitOptimizer.adam`: Ctrl-C and progress wait for them."""

    def optimizer(self, target: NDArray[np.float32], q_max: float) -> FitOptimizer:
        """Make an optimizer without Gaussians.

        Parameters
        ----------
        target : ndarray, (H, W, C), float32
            The picture T, finite.
        q_max : float
            Cut-off of the model.
        """


@dataclass(frozen=True)
class Cpu:
    """The compiled module on the CPU.

    Parameters
    ----------
    threads : int
        1 to 256; 0 for all CPUs that this process may run on.
    """

    threads: int
    iterations_per_call: int = 10

    def render(
        self, gaussians: Gaussians, window: Window | None, dtype: np.dtype[Any]
    ) -> NDArray[Any]:
        """Draw a part of the plane; see `Renderer`."""
        draw = _native.render_bytes if dtype == np.uint8 else _native.render_floats
        return draw(
            gaussians.means,
            gaussians.cholesky(),
            to_float32(gaussians.colors),
            gaussians.q_max,
            gaussians.height,
            gaussians.width,
            window,
            self.threads,
        )

    def optimizer(self, target: NDArray[np.float32], q_max: float) -> FitOptimizer:
        """Make an optimizer without Gaussians; see `Backend`."""
        optimizer = _native.Optimizer(target, q_max, self.threads)
        optimizer.coarse = target.shape[0] * target.shape[1] >= LEAST_COARSE_PIXELS
        return optimizer


def select_backend(device: object, threads: int) -> Backend:
    """Return the backend of a device.

    Parameters
    ----------
    device : str
        "cpu", "cuda" for the current GPU, or "cuda:0", "cuda:1", ...
    threads : int
        Threads that the CPU's backend uses, 1 to 256; 0 for all CPUs of this process.

    Raises
    ------
    TypeError, ValueError
        If `device` names none.
    ImportError
        If PyTorch or Triton is not installed.
    GaussianImageError
        If there is no such GPU.
    """
    if not isinstance(device, str):
        raise TypeError(f"device: expected a string, got {type(device).__name__}")
    if device == "cpu":
        return Cpu(threads)
    if re.fullmatch(r"cuda(?::\d+)?", device) is None:
        raise ValueError(
            f'device: expected "cpu", "cuda" or "cuda:0", "cuda:1", ..., got {device!r}'
        )
    return _load(device.partition(":")[0])(device)


def _load(kind: str) -> Callable[[str], Backend]:
    """Return what this distribution's entry point for a kind of device refers to."""
    from importlib.metadata import distribution  # takes long to import, and few ask for a GPU

    entry_points = distribution("gaussianimage").entry_points
    for entry_point in entry_points.select(group=ENTRY_POINTS, name=kind):
        backend: Callable[[str], Backend] = entry_point.load()
        return backend
    raise ImportError(
        f"this installation does not name its backend for {kind}; install it again: "
        "pip install gaussianimage[torch]"
    )

"""The optimizer of `gaussianimage.fit` on a GPU: a `gaussianimage.backends.FitOptimizer`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from gaussianimage.fitting.state import TRAIN_ALL
from gaussianimage.torch.cuda import adam, backward, forward, gauss_newton
from gaussianimage.torch.cuda.batch import Batch, TileLists
from gaussianimage.torch.cuda.fit_step import FitTensors
from gaussianimage.torch.cuda.graph_replay import replayable
from gaussianimage.torch.cuda.tile_lists import count_entries, make_lists
from gaussianimage.torch.cuda.workspace import capacity_for

# Iterations between two looks at the device.
CHUNK = 256

TRAIN_COLOR = 4


class _Column:
    """An attribute of the Gaussians: a tensor with spare rows, of which NumPy sees the used ones.

    Parameters
    ----------
    columns : callable
        Takes the channels of the picture and returns the numbers per Gaussian, or 0 for a tensor
        of one axis.
    kind : torch.dtype
        The type of the tensor.
    seen : dtype
        The type of NumPy's array.
    """

    def __init__(
        self, columns: Callable[[int], int], kind: torch.dtype, seen: DTypeLike = np.float32
    ) -> None:
        self._columns = columns
        self._kind = kind
        self._seen = np.dtype(seen)

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: "Optimizer", owner: type) -> NDArray[Any]:
        used = instance.tables[self._name][: len(instance)]
        return used.cpu().numpy().astype(self._seen)

    def __set__(self, instance: "Optimizer", values: NDArray[Any]) -> None:
        used = instance.tables[self._name][: len(instance)]
        used.copy_(torch.from_numpy(values.astype(self._signed)))

    @property
    def _signed(self) -> np.dtype[Any]:
        # PyTorch has no arithmetic on unsigned numbers.
        return np.dtype(np.int32) if self._seen == np.uint32 else self._seen

    def allocate(self, rows: int, channels: int, device: torch.device) -> Tensor:
        """Return zeros for a number of Gaussians."""
        columns = self._columns(channels)
        shape = (rows, columns) if columns else (rows,)
        return torch.zeros(shape, dtype=self._kind, device=device)


class Optimizer:
    """Adam and Gauss–Newton on the Gaussians of one picture: a `FitOptimizer`.

    Parameters
    ----------
    target : ndarray, (H, W, C), float32
        The picture, finite.
    q_max : float
        Cut-off of the model.
    device : str
        "cuda", "cuda:1", ...; within Triton's interpreter also "cpu".

    Attributes
    ----------
    steps : int
        Iterations that were done so far.

    Notes
    -----
    Spare rows of the tables have Cholesky factors of zero, so they are never drawn. An iteration is
    recorded as a CUDA graph with memory for some more entries than there are; if that does not
    suffice, the iterations are repeated with more memory.
    """

    means = _Column(lambda _: 2, torch.float32, np.float64)
    cholesky = _Column(lambda _: 3, torch.float32, np.float64)
    colors = _Column(lambda channels: channels, torch.float32)
    first = _Column(lambda channels: 5 + channels, torch.float32)
    second = _Column(lambda channels: 5 + channels, torch.float32)
    age = _Column(lambda _: 0, torch.int32, np.uint32)
    trainable = _Column(lambda _: 0, torch.uint8, np.uint8)

    def __init__(self, target: NDArray[np.float32], q_max: float, device: str) -> None:
        self._target = torch.tensor(target, device=device)[None]
        self._weights: Tensor | None = None
        self._ends: tuple[Tensor, float] | None = None
        self._q_max = q_max
        self._count = 0
        self.steps = 0
        self._recording: _RecordedIteration | None = None
        self.tables = self._new_tables(0)

    def __len__(self) -> int:
        return self._count

    def weigh(self, weights: NDArray[np.float32]) -> None:
        """Let the squared error of each value count by a weight of 0 to 1, (H, W, C)."""
        expected = tuple(self._target.shape[1:])
        if weights.shape != expected:
            raise ValueError(f"weights: expected shape {expected}, got {weights.shape}")
        self._weights = torch.tensor(weights, device=self._target.device)[None]
        self._recording = None

    def allow_beyond(self, sides: NDArray[np.int8], room: float) -> None:
        """Let the drawing exceed some values, (H, W, C), by up to `room` without an error."""
        expected = tuple(self._target.shape[1:])
        if sides.shape != expected:
            raise ValueError(f"sides: expected shape {expected}, got {sides.shape}")
        self._ends = torch.tensor(sides, device=self._target.device)[None], room
        self._recording = None

    def reserve(self, count: int) -> None:
        """Do nothing: tables grow by doubling, so that the first iterations have few rows."""

    def add(
        self,
        means: NDArray[np.float64],
        cholesky: NDArray[np.float64],
        colors: NDArray[np.float32],
    ) -> None:
        """Add trainable Gaussians with moments of zero."""
        begin, self._count = self._count, self._count + len(means)
        if self._count > len(self.tables["age"]):
            old, self.tables = self.tables, self._new_tables(2 * self._count)
            for name, table in old.items():
                self.tables[name][:begin] = table[:begin]
            self._recording = None
        for name, values in (("means", means), ("cholesky", cholesky), ("colors", colors)):
            self.tables[name][begin : self._count] = torch.tensor(values, dtype=torch.float32)
        self.tables["trainable"][begin : self._count] = TRAIN_ALL

    def keep(self, keep: NDArray[np.uint8]) -> None:
        """Remove the Gaussians whose entry is 0, (N,)."""
        rows = torch.from_numpy(np.flatnonzero(keep)).to(self._target.device)
        for table in self.tables.values():
            kept = table[rows]
            table[len(rows) : self._count] = 0
            table[: len(rows)] = kept
        self._count = len(rows)

    def adam(self, rates: NDArray[np.float32], energy: float) -> NDArray[np.float64]:
        """Do one iteration per row of rates, (K, 3); return the loss before each, (K,)."""
        return self._iterate(rates, _Adam(energy))

    def overlaps(self) -> NDArray[np.float64]:
        """Return how much each Gaussian overlaps all, at least 1, (N,)."""
        with self._on_device():
            l11, _, l22 = self.tables["cholesky"].double().unbind(1)
            area = torch.pi * l11 * l22
            visible = count_entries(self._batch()) > 0
            unit = torch.where(visible, area, 1).rsqrt() * visible
            products, _ = self._project(unit[:, None].expand(-1, self._target.shape[3]))
            overlaps: NDArray[np.float64] = (unit * products[:, 0]).clamp(min=1).cpu().numpy()
            return overlaps[: len(self)]

    def gauss_newton(
        self, rates: NDArray[np.float32], energy: float, step: float
    ) -> NDArray[np.float64]:
        """Do one Gauss–Newton step per rate, (K,); return the loss before each, (K,)."""
        return self._iterate(np.repeat(rates[:, None], 3, axis=1), _GaussNewton(energy, step))

    def solve_colors(self, iterations: int, ridge: float) -> float:
        """Solve for the trainable colors by conjugate gradients; return the loss after it."""
        with self._on_device():
            return self._solve_colors(iterations, ridge)

    def residual(self) -> NDArray[np.float32]:
        """Return picture minus target times the weights, (H, W, C)."""
        array: NDArray[np.float32] = self._residual().cpu().numpy()
        return array

    def residual_magnitudes(self) -> NDArray[np.float32]:
        """Return the sum of the magnitudes of each pixel's residuals, (H, W)."""
        array: NDArray[np.float32] = self._residual().abs().sum(dim=2).cpu().numpy()
        return array

    def residual_at(self, pixels: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the residual at some pixels, which are numbered row by row, (K, C)."""
        places = torch.from_numpy(pixels).to(self._target.device)
        array: NDArray[np.float32] = self._residual().flatten(0, 1)[places].cpu().numpy()
        return array

    def _residual(self) -> Tensor:
        with self._on_device():
            return self._weighted(self._difference(self.tables["colors"]))[0]

    def _on_device(self) -> torch.cuda.device_of:
        """Make the target's GPU the current one, on which Triton launches."""
        return torch.cuda.device_of(self._target)

    def _solve_colors(self, iterations: int, ridge: float) -> float:
        colors = self.tables["colors"].double()
        l11, _, l22 = self.tables["cholesky"].double().unbind(1)
        # The diagonal of the normal equations, which also preconditions them; 0 holds a color.
        moves = (self.tables["trainable"] & TRAIN_COLOR != 0) & (count_entries(self._batch()) > 0)
        diagonal = torch.where(moves, torch.pi * l11 * l22, 0)[:, None]
        inverse = torch.where(diagonal > 0, 1 / diagonal, 0)
        products, loss = self._project(colors, against_target=True)
        r = torch.where(diagonal > 0, -products - ridge * diagonal * colors, 0)
        x, p, rho = torch.zeros_like(r), torch.zeros_like(r), 1.0
        for _ in range(iterations):
            rho, before = float((r * r * inverse).sum()), rho
            if not rho > 1e-12:
                break
            p = r * inverse + (rho / before) * p
            products, _ = self._project(p)
            products = torch.where(diagonal > 0, products + ridge * diagonal * p, 0)
            curvature = float((p * products).sum())
            if not curvature > 0:
                break
            x += (rho / curvature) * p
            r -= (rho / curvature) * products
        colors = torch.where((colors + x).abs() < 1e6, colors + x, colors)
        self.tables["colors"].copy_(colors)
        _, loss = self._project(colors, against_target=True)
        return loss

    def _new_tables(self, rows: int) -> dict[str, Tensor]:
        kinds = {name: kind for name, kind in vars(Optimizer).items() if isinstance(kind, _Column)}
        channels, device = self._target.shape[3], self._target.device
        return {name: kind.allocate(rows, channels, device) for name, kind in kinds.items()}

    def _batch(self) -> Batch:
        means, cholesky, colors = (self.tables[name] for name in ("means", "cholesky", "colors"))
        _, height, width, _ = self._target.shape
        return Batch(means, cholesky, colors, 1, height, width, self._q_max)

    def _draw(self, colors: Tensor) -> Tensor:
        means, cholesky = self.tables["means"][None], self.tables["cholesky"][None]
        _, height, width, _ = self._target.shape
        return forward.render(means, cholesky, colors[None], height, width, self._q_max)

    def _difference(self, colors: Tensor) -> Tensor:
        """Draw with these colors, minus the target; see `allow_beyond`."""
        R = self._draw(colors)
        R -= self._target
        if self._ends is not None:
            sides, room = self._ends
            end = room * sides
            R -= torch.minimum(torch.maximum(R, end.clamp(max=0)), end.clamp(min=0))
        return R

    def _project(self, colors: Tensor, *, against_target: bool = False) -> tuple[Tensor, float]:
        """Draw with these colors, or less the target; return the products by Gaussian, and a loss.

        With R the difference, v the weights of the picture and w a Gaussian's own at each pixel,
        they are Σ w v R, (N, C), and ½ Σ v R².
        """
        R = (self._difference if against_target else self._draw)(colors.float())
        weighted = self._weighted(R)
        means, cholesky = self.tables["means"][None], self.tables["cholesky"][None]
        now = self.tables["colors"][None]
        _, _, products = backward.gradient(means, cholesky, now, weighted, self._q_max)
        return products[0].double(), float((weighted.double() * R.double()).sum()) / 2

    def _weighted(self, residual: Tensor) -> Tensor:
        return residual if self._weights is None else residual * self._weights

    def _iterate(
        self, rates: NDArray[np.float32], move: "_Adam | _GaussNewton"
    ) -> NDArray[np.float64]:
        losses = []
        with self._on_device():
            for i in range(0, len(rates), CHUNK):
                losses.append(self._run(rates[i : i + CHUNK], move))
                self.steps += len(losses[-1])
        return np.concatenate([np.empty(0), *losses])

    def _run(self, rates: NDArray[np.float32], move: "_Adam | _GaussNewton") -> NDArray[np.float64]:
        if self._recording is None or self._recording.move != move:
            entries = int(count_entries(self._batch()).sum())
            self._recording = self._record(move, entries)
        while True:
            before = {name: table.clone() for name, table in self.tables.items()}
            losses, entries = self._recording.run(rates)
            if entries <= self._recording.capacity:
                return losses
            for name, table in self.tables.items():
                table.copy_(before[name])
            self._recording = self._record(move, entries)

    def _record(self, move: "_Adam | _GaussNewton", entries: int) -> "_RecordedIteration":
        targets = self._target, self._weights, self._ends
        return _RecordedIteration(self._batch(), self.tables, *targets, move, entries)


@dataclass(frozen=True)
class _Adam:
    """How Adam moves the Gaussians after their gradients are summed."""

    energy: float

    def __call__(
        self, batch: Batch, lists: TileLists, sums: Tensor, losses: Tensor, tensors: FitTensors
    ) -> None:
        adam.step(batch, lists, sums, losses, tensors, self.energy)


@dataclass(frozen=True)
class _GaussNewton:
    """How Gauss–Newton steps do."""

    energy: float
    faint: float

    def __call__(
        self, batch: Batch, lists: TileLists, sums: Tensor, losses: Tensor, tensors: FitTensors
    ) -> None:
        gauss_newton.step(batch, lists, sums, losses, tensors, self.energy, self.faint)


class _RecordedIteration:
    """One iteration on the memory of the tables, ready to be repeated."""

    def __init__(
        self,
        batch: Batch,
        tables: dict[str, Tensor],
        target: Tensor,
        weights: Tensor | None,
        ends: tuple[Tensor, float] | None,
        move: _Adam | _GaussNewton,
        entries: int,
    ) -> None:
        device = target.device
        self.move = move
        self.capacity = capacity_for(entries)
        self._batch = batch
        self._target = target
        self._weights = weights
        self._ends = ends
        self._residual = torch.empty_like(target)
        groups = -(-batch.channels // forward.GROUP)
        self._tile_losses = torch.empty((batch.tiles, groups), device=device)
        self._sums = torch.empty((self.capacity, 5 + batch.channels), device=device)
        self._state = FitTensors(
            first=tables["first"],
            second=tables["second"],
            age=tables["age"],
            trainable=tables["trainable"],
            rates=torch.zeros((CHUNK, 3), device=device),
            losses=torch.zeros(CHUNK, dtype=torch.float64, device=device),
            iteration=torch.zeros(1, dtype=torch.int32, device=device),
            peak=torch.zeros(1, dtype=torch.int64, device=device),
        )
        changed = [*tables.values(), self._state.iteration, self._state.peak]
        self._repeat = replayable(self._iterate, changed)

    def run(self, rates: NDArray[np.float32]) -> tuple[NDArray[np.float64], int]:
        """Run iterations; return their losses, and the most entries that one of them had."""
        state = self._state
        state.rates[: len(rates)] = torch.from_numpy(rates).to(state.rates.device)
        state.iteration.zero_()
        state.peak.zero_()
        for _ in range(len(rates)):
            self._repeat()
        losses: NDArray[np.float64] = state.losses[: len(rates)].cpu().numpy().copy()
        return losses, int(state.peak)

    def _iterate(self) -> None:
        (lists,) = make_lists(self._batch, self.capacity)
        forward.draw(
            self._batch,
            lists,
            self._residual,
            target=self._target,
            weights=self._weights,
            ends=self._ends,
            losses=self._tile_losses,
        )
        backward.sum_entries(self._batch, lists, self._residual, self._sums)
        self.move(self._batch, lists, self._sums, self._tile_losses, self._state)

"""How far the PyTorch operator is from float64 references: derivatives, precisions, batches, sums.

Usage: python benchmarks/operator_errors.py [--seeds 5]

References are `gaussianimage.reference`, which draws one Gaussian after the other in NumPy, and
central differences of it or of the operator in float64. Every figure is the largest error over all
scenes, beside the largest value of what it is an error of. No figure is a time.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from lib.harness import environment, print_environment, print_table, write_json
from numpy.typing import NDArray
from torch import Tensor
from torch.func import grad, jacfwd, jacrev, jvp

from gaussianimage import Gaussians, metrics, reference
from gaussianimage.torch import (
    absolute_gradient,
    cholesky_from_covariance,
    footprints,
    get_loss,
    rasterize,
    sum_weights,
    top_contributors,
    top_k_blend,
)

HERE = Path(__file__).resolve().parent
HEIGHT, WIDTH = 23, 29
COUNT = 12
CHANNELS = 3
CONTRIBUTORS = 4
# So far out that no central difference moves a pixel across the cut-off.
UNCUT = 40.0
CUT = 4.5
STEP = 1e-5
LOSSES = ("l1", "l2", "ssim", "l1+ssim", "l2+ssim", "l2+l1", "l1+ms-ssim", "l1+ms-ssim-5")
# MS-SSIM needs a picture of more than 160 pixels a side.
LOSS_SHAPE = (2, 2, 164, 170, CHANNELS)

Scene = tuple[Tensor, Tensor, Tensor]
Values = Tensor | NDArray[np.floating]


class Row(NamedTuple):
    """The largest error of a check, and the largest value of what is checked."""

    group: str
    check: str
    error: float
    largest: float


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Errors of the PyTorch operator.")
    parser.add_argument("--seeds", type=int, default=5, help="how many scenes (5)")
    parser.add_argument("--output", type=Path, default=HERE / "results/operator_errors.json")
    return parser.parse_args(arguments)


def random_scene(generator: torch.Generator, batch: tuple[int, ...] = ()) -> Scene:
    """Return means, Cholesky factors and colors in float64, some means outside of the picture."""

    def numbers(columns: int) -> Tensor:
        return torch.rand(*batch, COUNT, columns, generator=generator, dtype=torch.float64)

    means = numbers(2) * torch.tensor([WIDTH + 12, HEIGHT + 12]) - 6
    cholesky = numbers(3) * torch.tensor([3, 4, 3]) + torch.tensor([0.8, -2, 0.8])
    return means, cholesky, 2 * numbers(CHANNELS) - 1


def error(found: Values, expected: Values) -> float:
    """Return the largest difference, computed in float64."""
    first, second = (
        np.asarray(torch.as_tensor(part).detach().double()) for part in (found, expected)
    )
    return float(np.abs(first - second).max())


def largest(values: Values) -> float:
    return error(values, torch.zeros(()))


def compared(check: str, *pairs: tuple[Values, Values]) -> Row:
    """Return a row of the largest error of values that were found, each beside what is expected."""
    group, _, check = check.partition(": ")
    worst = max(error(found, expected) for found, expected in pairs)
    return Row(group, check, worst, max(largest(expected) for _, expected in pairs))


def central_difference(
    function: Callable[..., Tensor], inputs: Scene, directions: Sequence[Tensor]
) -> Tensor:
    """Return the derivative of a function along a direction, in float64."""
    ends = [
        function(*(t + sign * STEP * d for t, d in zip(inputs, directions, strict=True)))
        for sign in (1, -1)
    ]
    return (ends[0] - ends[1]) / (2 * STEP)


def slopes(function: Callable[..., Tensor], inputs: Scene) -> list[Tensor]:
    """Return a scalar function's central differences by every number of the inputs."""
    found = []
    for number, tensor in enumerate(inputs):
        slope = torch.zeros_like(tensor)
        for i in range(tensor.numel()):
            directions = [torch.zeros_like(t) for t in inputs]
            directions[number].view(-1)[i] = 1
            slope.view(-1)[i] = central_difference(function, inputs, directions)
        found.append(slope)
    return found


def check_derivatives(generator: torch.Generator) -> Iterator[Row]:
    inputs = random_scene(generator)
    directions = tuple(torch.randn(t.shape, generator=generator, dtype=t.dtype) for t in inputs)
    weights = torch.randn(HEIGHT, WIDTH, CHANNELS, generator=generator, dtype=torch.float64)

    def picture(*tensors: Tensor) -> Tensor:
        return rasterize(*tensors, HEIGHT, WIDTH, q_max=UNCUT)

    def loss(*tensors: Tensor) -> Tensor:
        return (picture(*tensors) - weights).square().mean()

    expected = central_difference(picture, inputs, directions)
    for name, dtype in (("float64", torch.float64), ("float32", torch.float32)):
        parts = [tuple(t.to(dtype) for t in part) for part in (inputs, directions)]
        yield compared(f"derivatives: jvp, {name}", (jvp(picture, *parts)[1], expected))
    everything = (0, 1, 2)
    found = grad(loss, everything)(*inputs)
    yield compared("derivatives: grad", *zip(found, slopes(loss, inputs), strict=True))
    reverse, forward = (j(picture, everything)(*inputs) for j in (jacrev, jacfwd))
    yield compared("derivatives: jacrev, against jacfwd", *zip(reverse, forward, strict=True))
    leaves = [t.clone().requires_grad_() for t in inputs]
    first = torch.autograd.grad(loss(*leaves), leaves, create_graph=True)
    along = sum((g * d).sum() for g, d in zip(first, directions, strict=True))
    second = torch.autograd.grad(along, leaves)
    differences = [
        central_difference(lambda *t, n=n: grad(loss, everything)(*t)[n], inputs, directions)
        for n in everything
    ]
    check = "derivatives: Hessian times vector, twice backward"
    yield compared(check, *zip(second, differences, strict=True))


def check_pictures(generator: torch.Generator) -> Iterator[Row]:
    means, cholesky, colors = (t.float() for t in random_scene(generator))
    gaussians = Gaussians.from_cholesky(
        *(t.double().numpy() for t in (means, cholesky, colors)), HEIGHT, WIDTH, CUT
    )
    drawn = rasterize(means, cholesky, colors, HEIGHT, WIDTH, q_max=CUT)
    yield compared("pictures: float32, against the reference", (drawn, reference.render(gaussians)))
    for dtype in (torch.bfloat16, torch.float16):
        halves = [t.to(dtype) for t in (means, cholesky, colors)]
        found = rasterize(*halves, HEIGHT, WIDTH, q_max=CUT)
        same = rasterize(*(t.float() for t in halves), HEIGHT, WIDTH, q_max=CUT)
        name = str(dtype).removeprefix("torch.")
        yield compared(f"pictures: {name}, against its numbers in float32", (found, same))
        with torch.autocast("cpu", dtype=dtype):
            found = rasterize(means, cholesky, colors, HEIGHT, WIDTH, q_max=CUT)
        yield compared(f"pictures: float32 within autocast to {name}", (found, drawn))
    l11, l21, l22 = cholesky.unbind(1)
    covariance = torch.stack([l11**2, l11 * l21, l21**2 + l22**2], 1)
    found = rasterize(means, cholesky_from_covariance(covariance), colors, HEIGHT, WIDTH, q_max=CUT)
    yield compared("pictures: covariances", (found, drawn))
    background = torch.rand(CHANNELS, generator=generator)
    found = rasterize(means, cholesky, colors, HEIGHT, WIDTH, q_max=CUT, background=background)
    yield compared("pictures: background", (found, drawn + background))


def check_batches(generator: torch.Generator) -> Iterator[Row]:
    batch = (2, 3)
    inputs = [t.float() for t in random_scene(generator, batch)]
    both = []
    for of_batch in (True, False):
        leaves = [t.clone().requires_grad_() for t in inputs]
        if of_batch:
            pictures = rasterize(*leaves, HEIGHT, WIDTH)
        else:
            parts = [
                rasterize(*(t[i, j] for t in leaves), HEIGHT, WIDTH) for i, j in np.ndindex(batch)
            ]
            pictures = torch.stack(parts).unflatten(0, batch)
        gradients = torch.autograd.grad(pictures.square().sum(), leaves)
        both.append([pictures, *gradients])
    pictures, *gradients = zip(*both, strict=True)
    yield compared("batches: pictures of a batch, against one by one", pictures)
    yield compared("batches: gradients of a batch", *gradients)
    first = torch.rand(LOSS_SHAPE, generator=generator)
    second = (first + 0.1 * torch.rand(LOSS_SHAPE, generator=generator)).clamp(0, 1)
    pairs = []
    for name in LOSSES:
        singles = [get_loss(name)(first[i, j], second[i, j]) for i, j in np.ndindex(LOSS_SHAPE[:2])]
        expected = torch.stack(singles).mean()
        planes = [t.movedim(-1, -3).contiguous() for t in (first, second)]
        found = (get_loss(name)(first, second), get_loss(name, channels="first")(*planes))
        pairs += [(loss, expected) for loss in found]
    yield compared("batches: losses of a batch, channels last and first", *pairs)
    one, other = first[0, 0].double(), second[0, 0].double()
    expected = np.array(1 - metrics.ssim(one.numpy(), other.numpy()))
    yield compared("batches: SSIM, against the metric", (get_loss("ssim")(one, other), expected))


def check_sums(generator: torch.Generator) -> Iterator[Row]:
    means, cholesky, colors = (t.float() for t in random_scene(generator))
    arrays = [t.double().numpy() for t in (means, cholesky, colors)]
    white = Gaussians.from_cholesky(arrays[0], arrays[1], np.ones((COUNT, 1)), HEIGHT, WIDTH, CUT)
    weights = np.zeros((COUNT, HEIGHT, WIDTH))
    slope = np.zeros((COUNT, HEIGHT, WIDTH, 2))
    for i, q, ex, ey in reference.exponents(white):
        weights[i] = np.where(q <= CUT, np.exp(-q), 0)
        slope[i] = weights[i][..., None] * np.stack([ex, ey], 2)
    area = (HEIGHT, WIDTH)
    yield compared("sums: sum of weights", (sum_weights(means, cholesky, *area), weights.sum(0)))
    order = np.argsort(-weights, 0, kind="stable")[:CONTRIBUTORS]
    ordered = np.take_along_axis(weights, order, 0)
    top = top_contributors(means, cholesky, *area, CONTRIBUTORS)
    others = top.indices.movedim(-1, 0).numpy() != np.where(ordered > 0, order, -1)
    yield Row("sums", "pixels with another top contributor", float(others.sum()), others.size)
    yield compared("sums: weights of top contributors", (top.weights.movedim(-1, 0), ordered))
    total = ordered.sum(0)[..., None]
    expected = np.einsum("khw,khwc->hwc", ordered, arrays[2][order]) / np.where(total > 0, total, 1)
    found = top_k_blend(means, cholesky, colors, *area, CONTRIBUTORS)
    yield compared("sums: blending of top contributors", (found, expected))
    extents, radii = [], []
    for xx, xy, yy in white.covariance:
        extents.append(np.sqrt(2 * CUT * np.array([xx, yy])))
        radii.append(np.sqrt(2 * CUT * np.linalg.eigvalsh([[xx, xy], [xy, yy]])[1]))
    seen = footprints(means, cholesky, *area)
    yield compared("sums: extents of footprints", (seen.extents, np.array(extents)))
    yield compared("sums: radii of footprints", (seen.radii, np.array(radii)))
    # A footprint is visible where its box holds a pixel's center, even if its ellipse does not.
    unseen = weights.any((1, 2)) & ~seen.visible.numpy()
    yield Row("sums", "Gaussians that draw and are not visible", float(unseen.sum()), COUNT)
    gradient = torch.randn(*area, CHANNELS, generator=generator)
    by_color = np.einsum("hwc,nc->nhw", gradient.double().numpy(), arrays[2])
    expected = np.abs(by_color[..., None] * slope).sum((1, 2))
    found = absolute_gradient(means, cholesky, colors, gradient)
    yield compared("sums: absolute gradient of means", (found, expected))


CHECKS = (check_derivatives, check_pictures, check_batches, check_sums)


def measure(seeds: int) -> list[Row]:
    """Return each check's largest error over scenes."""
    worst: dict[tuple[str, str], Row] = {}
    for seed in range(seeds):
        for check in CHECKS:
            for row in check(torch.Generator().manual_seed(seed)):
                known = worst.get(row[:2], row)
                worst[row[:2]] = Row(*row[:2], *map(max, zip(row[2:], known[2:], strict=True)))
    return list(worst.values())


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    report = environment(threads=[torch.get_num_threads()])
    print_environment(report)
    rows = measure(options.seeds)
    print(
        f"\nLargest errors over {options.seeds} scenes of {COUNT} Gaussians, {WIDTH} x {HEIGHT}\n"
    )
    print_table(
        ["check", "error", "of"],
        [[f"{r.group}: {r.check}", f"{r.error:.1e}", f"{r.largest:.2g}"] for r in rows],
    )
    results = {
        "benchmark": "operator_errors",
        "environment": report,
        "settings": {"seeds": options.seeds, "gaussians": COUNT, "size": [HEIGHT, WIDTH]},
        "results": [row._asdict() for row in rows],
    }
    write_json(options.output, results)
    print(f"\nWritten to {options.output}")


if __name__ == "__main__":
    main()

"""Fit a video frame by frame, each frame from the Gaussians of the one before.

Usage: python examples/video.py [FRAME...] [-n 2000] [--first 400] [--others 60]

Without frames, eight are cut out of a photo by a moving and growing window. The first frame gets
many iterations, every other one few. The same run from new Gaussians for every frame stands beside
it. Needs PyTorch: pip install gaussianimage[torch]
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

import gaussianimage
from gaussianimage.torch import Training, rasterize

ROOT = Path(__file__).resolve().parent.parent
# Of centers in pixels, of Cholesky factors in pixels, and of colors.
RATES = (0.2, 0.1, 0.01)


class Frame(nn.Module):
    """Gaussians that draw one frame."""

    def __init__(self, parts: Sequence[Tensor], size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.means, self.cholesky, self.colors = (nn.Parameter(part.clone()) for part in parts)

    def forward(self) -> Tensor:
        """Return the picture, (H, W, 3), not clamped."""
        return rasterize(self.means, self.cholesky, self.colors, *self.size)

    def parts(self) -> list[Tensor]:
        """Return the Gaussians, to start another frame from."""
        return [self.means.detach(), self.cholesky.detach(), self.colors.detach()]


def new_parts(count: int, size: tuple[int, int], seed: int) -> list[Tensor]:
    """Return Gaussians all over a frame, black, of a size that lets them cover it."""
    generator = torch.Generator().manual_seed(seed)
    means = torch.rand(count, 2, generator=generator) * torch.tensor([size[1], size[0]])
    radius = (size[0] * size[1] / (9 * count)) ** 0.5
    factors = torch.tensor([radius, 0.0, radius]).repeat(count, 1)
    return [means, factors, torch.zeros(count, 3)]


def fit_frames(
    frames: Sequence[Tensor], count: int, first: int, others: int, *, warm: bool = True
) -> list[float]:
    """Fit every frame, (H, W, 3); return the PSNR of each in dB.

    Parameters
    ----------
    frames : sequence of Tensor
    count : int
        Gaussians of each frame.
    first, others : int
        Iterations of the first frame and of each other one.
    warm : bool, default True
        Whether a frame starts from the Gaussians of the one before, or from new ones.
    """
    size = (frames[0].shape[0], frames[0].shape[1])
    parts = new_parts(count, size, seed=1)
    found = []
    for number, target in enumerate(frames):
        if number and not warm:
            parts = new_parts(count, size, seed=1)
        model = Frame(parts, size)
        parameters = (model.means, model.cholesky, model.colors)
        groups = [{"params": [p], "lr": rate} for p, rate in zip(parameters, RATES, strict=True)]
        training = Training(model, target, torch.optim.Adam(groups))
        found.append(training.run(others if number else first))
        parts = model.parts()
    return found


def moving_window(path: Path, count: int, size: tuple[int, int]) -> list[Tensor]:
    """Cut frames out of a photo; the window moves two pixels a frame."""
    pixels = torch.tensor(gaussianimage.as_picture(str(path)).pixels[..., :3])
    return [pixels[2 * i : 2 * i + size[0], 3 * i : 3 * i + size[1]].clone() for i in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit a video by warm starts.")
    parser.add_argument("frames", nargs="*", type=Path)
    parser.add_argument("-n", type=int, default=2000, help="Gaussians of a frame (2000)")
    parser.add_argument("--first", type=int, default=400, help="iterations (400)")
    parser.add_argument("--others", type=int, default=60, help="iterations (60)")
    arguments = parser.parse_args()
    if arguments.frames:
        pictures = [gaussianimage.as_picture(str(path)).pixels for path in arguments.frames]
        frames = [torch.tensor(pixels[..., :3]) for pixels in pictures]
    else:
        frames = moving_window(ROOT / "examples/pictures/kodim23.png", 8, (256, 384))
    for warm in (True, False):
        began = time.perf_counter()
        found = fit_frames(frames, arguments.n, arguments.first, arguments.others, warm=warm)
        name = "from the frame before" if warm else "from new Gaussians"
        decibels = ", ".join(f"{psnr:.1f}" for psnr in found)
        print(f"{name}: {decibels} dB in {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()

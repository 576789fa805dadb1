"""Pictures as networks, on one harness: SIREN, WIRE, I-NGP, and COIN as a codec.

All of them have one recipe: Adam on the squared error, and a learning rate that falls to a tenth.
The networks have the sizes of the paper's Table 1. I-NGP's is within a few percent, because the
paper has only its number of parameters.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from lib.pictures import Bytes
from lib.rivals import Rival, decode
from torch import Tensor, nn

from gaussianimage.metrics import bpp
from gaussianimage.paper.measurement import PeakMemory, frames_per_second, synchronize
from gaussianimage.paper.quality import measure_quality
from implicit.hashgrid import HashGrid
from implicit.siren import Siren, read_coin, write_coin
from implicit.wire import Wire

CHUNK = 65536  # pixels drawn at once: bounds the memory of a frame
DECAY = 0.1  # factor of the learning rate over the whole run
LARGE = 393_216  # pixels of a Kodak picture; the paper gives larger ones larger networks


@dataclass(frozen=True)
class Method:
    """A network and its learning rate.

    Attributes
    ----------
    make : callable
        Function from height, width and a generator to a network with the paper's number of
        parameters.
    """

    name: str
    make: Callable[[int, int, torch.Generator], nn.Module]
    learning_rate: float


@dataclass(frozen=True)
class Settings:
    """Length and device of the training."""

    iterations: int = 50_000
    batch: int | None = None  # pixels in an iteration; None: all
    seed: int = 1
    device: str = "cpu"
    timed: float = 1.0  # seconds that frames are timed for, at least
    watch: Callable[[int], None] | None = None  # takes the number of completed iterations


def _siren(height: int, width: int, generator: torch.Generator) -> Siren:
    return Siren(300 if height * width <= LARGE else 400, 4, generator)


def _wire(_height: int, _width: int, generator: torch.Generator) -> Wire:
    return Wire(212, 4, generator)


def _hash_grid(height: int, width: int, generator: torch.Generator) -> HashGrid:
    table = 2**14 if height * width <= LARGE else 2**15
    return HashGrid(min(height, width), table, generator)


METHODS = {
    "wire": Method("WIRE", _wire, 5e-3),
    "siren": Method("SIREN", _siren, 1e-4),
    "ingp": Method("I-NGP", _hash_grid, 1e-2),
}
COIN_LEARNING_RATE = 2e-4


def coordinates(height: int, width: int, device: torch.device) -> Tensor:
    """Return x and y of all pixel centers from -1 to 1, row by row, (H W, 2)."""
    y, x = ((torch.arange(n, device=device) + 0.5) / n * 2 - 1 for n in (height, width))
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid_x, grid_y], dim=2).reshape(-1, 2)


def fit(
    network: nn.Module, target: Tensor, places: Tensor, learning_rate: float, settings: Settings
) -> float:
    """Fit a network to colors (P, 3) at coordinates (P, 2), and return the seconds of it."""
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    decay = DECAY ** (1 / max(settings.iterations, 1))
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, decay)
    generator = torch.Generator(target.device).manual_seed(settings.seed)
    batch = settings.batch if settings.batch and settings.batch < len(target) else None
    synchronize(target.device)
    began = time.perf_counter()
    for iteration in range(settings.iterations):
        here, colors = places, target
        if batch is not None:
            chosen = torch.randint(len(target), (batch,), generator=generator, device=target.device)
            here, colors = places[chosen], target[chosen]
        optimizer.zero_grad(set_to_none=True)
        nn.functional.mse_loss(network(here), colors).backward()
        optimizer.step()
        schedule.step()
        if settings.watch is not None:
            settings.watch(iteration + 1)
    synchronize(target.device)
    return time.perf_counter() - began


@torch.inference_mode()
def draw(network: nn.Module, places: Tensor) -> Tensor:
    """Return the colors (P, 3) at coordinates (P, 2), clamped to 0..1."""
    return torch.cat([network(part) for part in places.split(CHUNK)]).clamp(0, 1)


def represent(pixels: Bytes, method: Method, settings: Settings) -> dict[str, Any]:
    """Fit one network to a picture and return a row of Table 1."""
    device = torch.device(settings.device)
    height, width, _ = pixels.shape
    peak = PeakMemory(device)
    network = method.make(height, width, torch.Generator().manual_seed(settings.seed)).to(device)
    target = torch.tensor(pixels, device=device).reshape(-1, 3) / 255
    places = coordinates(height, width, device)
    seconds = fit(network, target, places, method.learning_rate, settings)
    memory = peak.read()
    shown = draw(network, places).reshape(height, width, 3).cpu().numpy()
    return measure_quality(pixels, shown) | {
        "seconds": seconds,
        "fps": frames_per_second(lambda: draw(network, places), device, seconds=settings.timed),
        "memory_mib": memory.mib,
        "memory_kind": memory.kind,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }


def compress(pixels: Bytes, layers: int, neurons: int, settings: Settings) -> dict[str, Any]:
    """Fit a COIN to a picture, write it, read it back, and return a row of Table 2."""
    device = torch.device(settings.device)
    height, width, _ = pixels.shape
    network = Siren(neurons, layers, torch.Generator().manual_seed(settings.seed)).to(device)
    target = torch.tensor(pixels, device=device).reshape(-1, 3) / 255
    places = coordinates(height, width, device)
    seconds = fit(network, target, places, COIN_LEARNING_RATE, settings)
    data = write_coin(network, height, width)

    def decoded() -> Bytes:
        read, rows, columns = read_coin(data)
        shown = draw(read.to(device), coordinates(rows, columns, device))
        image: Bytes = (shown * 255).round().byte().reshape(rows, columns, 3).cpu().numpy()
        return image

    return _codec_row(pixels, data, decoded, seconds, settings)


def compress_by_rival(
    pixels: Bytes, rival: Rival, rate: float, settings: Settings
) -> dict[str, Any]:
    """Return a row of Table 2 for a rival's file near a rate in bpp."""
    setting = _setting(rival, pixels, rate)
    settings = replace(settings, device="cpu")
    device = torch.device(settings.device)
    encode = partial(rival.encode, pixels, setting)
    speed = frames_per_second(encode, device, seconds=settings.timed)
    data = encode()
    return _codec_row(pixels, data, partial(decode, data), 1 / speed, settings)


def _setting(rival: Rival, pixels: Bytes, rate: float) -> float:
    """Return the rate itself, or the least quality whose file has at least this rate."""
    if rival.dial == "bpp":
        return rate
    low, high = (int(end) for end in rival.ends)
    while low < high:
        middle = (low + high) // 2
        if bpp(len(rival.encode(pixels, middle)), *pixels.shape[:2]) < rate:
            low = middle + 1
        else:
            high = middle
    return high


def _codec_row(
    pixels: Bytes,
    data: bytes,
    decoded: Callable[[], Bytes],
    seconds: float,
    settings: Settings,
) -> dict[str, Any]:
    shown = decoded()
    return {
        "bytes": len(data),
        "bpp": bpp(len(data), *pixels.shape[:2]),
        **measure_quality(pixels, shown),
        "encode_fps": 1 / seconds,
        "decode_fps": frames_per_second(
            decoded, torch.device(settings.device), seconds=settings.timed
        ),
    }

"""Kernels compiled for a GPU that need not be there, and the instructions of their loops."""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import triton
from numpy.typing import NDArray
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from gaussianimage.gaussians import Gaussians
from gaussianimage.torch.cuda import backward, forward
from gaussianimage.torch.cuda.batch import TILE

CUOBJDUMP = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
_INSTRUCTION = re.compile(r"^\s+/\*([0-9a-f]{4,})\*/\s+(.*?);", re.MULTILINE)
_BRANCH = re.compile(r"\bBRA(?:\.\w+)*\s+(?:\S+,\s*)*0x([0-9a-f]+)")
# The parameters that are not pointers to float32.
_KINDS = {"spans": "*i32", "owners": "*i32", "entries": "*i32", "sides": "*i8"}
_KINDS |= dict.fromkeys(("q_max", "room"), "fp32")
_KINDS |= dict.fromkeys(("channels", "height", "width", "tiles_x", "tiles_y", "capacity"), "i32")


class EntryCost(NamedTuple):
    """What a kernel executes for each entry of a tile."""

    kernel: str
    channels: int
    instructions: float  # of all warps, in the loop over entries
    registers: int  # of a thread
    spilled: int  # bytes


def entry_costs(capability: int, channels: int = 3) -> list[EntryCost]:
    """Return the costs of drawing, with and without a target, and of the gradient.

    Parameters
    ----------
    capability : int
        The GPU's, such as 90 for 9.0.
    channels : int
        From 1 to 4, for which the loops are without loops of their own.
    """
    draw = {"beyond": False, "group": channels, "tile": TILE, "step": forward.STEP}
    sums = {"known": channels, "tile": TILE, "step": backward.STEP}
    jobs = (
        ("draw", forward._draw, draw | {"mode": 0}, forward.WARPS, forward.STEP),
        (
            "draw, with the difference",
            forward._draw,
            draw | {"mode": 2},
            forward.WARPS,
            forward.STEP,
        ),
        ("gradient", backward._sum_entries, sums, backward.WARPS, backward.STEP),
    )
    costs = []
    for name, kernel, constants, warps, step in jobs:
        compiled = compile_for(kernel, constants, warps, capability)
        (loop,) = loops(disassemble(compiled.asm["cubin"]))
        found = _resources(compiled.asm["cubin"])
        costs.append(EntryCost(name, channels, loop * warps / step, *found))
    return costs


def compile_for(kernel: Any, constants: dict[str, int], warps: int, capability: int) -> Any:
    """Compile a kernel for a GPU of some capability."""
    kinds = _KINDS | dict.fromkeys(constants, "constexpr")
    signature = {name: kinds.get(name, "*fp32") for name in kernel.arg_names}
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    target = GPUTarget("cuda", capability, 32)
    return triton.compile(source, target=target, options={"num_warps": warps})


def disassemble(cubin: bytes) -> str:
    """Return the machine code in words."""
    return _cuobjdump("-sass", cubin)


def loops(code: str) -> list[int]:
    """Return the number of instructions of each loop: from where a branch goes back to it."""
    lines = [(int(m[1], 16), m[2]) for m in _INSTRUCTION.finditer(code)]
    found = []
    for at, text in lines:
        branch = _BRANCH.search(text)
        # A kernel ends in a branch to itself.
        if branch and int(branch[1], 16) < at:
            found.append(sum(int(branch[1], 16) <= place <= at for place, _ in lines))
    return found


def _resources(cubin: bytes) -> tuple[int, int]:
    """Return the registers of a thread and the bytes that it spills."""
    text = _cuobjdump("-res-usage", cubin)
    registers, stack = (re.search(rf"{name}:(\d+)", text) for name in ("REG", "STACK"))
    assert registers
    assert stack
    return int(registers[1]), int(stack[1])


def _cuobjdump(option: str, cubin: bytes) -> str:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [CUOBJDUMP, option, file.name]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def tiles_touched(gaussians: Gaussians, tile: int) -> NDArray[np.int64]:
    """Return how many tiles the box around each Gaussian's ellipse touches, (N,)."""
    reach = np.sqrt(2 * gaussians.q_max)
    l11, l21, l22 = gaussians.cholesky().T
    extents = reach * np.stack([np.abs(l11), np.hypot(l21, l22)], 1)
    tiles = -(-np.array([gaussians.width, gaussians.height]) // tile)
    low = np.floor((gaussians.means - extents - 0.5) / tile).clip(0, tiles)
    high = (np.floor((gaussians.means + extents - 0.5) / tile) + 1).clip(low, tiles)
    counts: NDArray[np.int64] = np.prod(high - low, axis=1).astype(np.int64)
    return counts

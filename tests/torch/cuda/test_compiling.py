"""Every kernel compiles to machine code for an NVIDIA GPU, without such a GPU."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="needs PyTorch")
pytest.importorskip("triton", reason="needs Triton")

# In a process of its own, for in this one the interpreter may stand in for the compiler.
PROGRAM = """
import sys
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from gaussianimage.torch.cuda import adam
from gaussianimage.torch.cuda import adan
from gaussianimage.torch.cuda import fit_step
from gaussianimage.torch.cuda import gauss_newton
from gaussianimage.torch.cuda import forward
from gaussianimage.torch.cuda import tile_lists
from gaussianimage.torch.cuda import backward
from gaussianimage.torch.cuda.batch import TILE

NUMBERS = {
    "boxes": "*i32", "offsets": "*i64", "used": "*i64", "members": "*i32", "parts": "*i32",
    "spans": "*i32", "owners": "*i32", "entries": "*i32", "reach": "fp32", "q_max": "fp32",
    "energy": "fp32", "epsilon": "fp32", "age": "*i32", "trainable": "*u8", "iteration": "*i32",
    "peak": "*i64", "rate": "fp32", "sides": "*i8", "room": "fp32",
    **{name + n: "fp32" for name in ("beta", "log") for n in "123"},
}
WHOLE = {
    "count", "channels", "tiles_x", "tiles_y", "cells_x", "cells_y", "parts_each", "first",
    "per_picture", "capacity", "height", "width", "tiles",
}

def compile(kernel, warps, constants, **numbers):
    kinds = dict.fromkeys(WHOLE, "i32") | NUMBERS | dict.fromkeys(constants, "constexpr") | numbers
    signature = {name: kinds.get(name, "*fp32") for name in kernel.arg_names}
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    target = GPUTarget("cuda", int(sys.argv[1]), 32)
    compiled = triton.compile(source, target=target, options={"num_warps": warps})
    assert compiled.asm["cubin"][:4] == bytes([0x7f]) + b"ELF"
    print(kernel.__name__)

tile, cell = {"tile": TILE}, {"cell": tile_lists.CELL}
for known in (False, True):
    constants = {"has_peak": known, "learned": known, "block": tile_lists.BLOCK}
    compile(tile_lists._measure, 4, tile | constants)
chunk = {"chunk": tile_lists.CHUNK, "block": tile_lists.CHUNK_BLOCK}
compile(tile_lists._fill_cells, tile_lists.CHUNK_WARPS, cell | chunk)
block = {"block": tile_lists.LIST_BLOCK}
compile(tile_lists._fill_tiles, tile_lists.LIST_WARPS, tile | cell | block)
modes = (0, 3, False), (1, 4, False), (2, 1, False), (3, 4, False), (2, 1, True), (3, 4, True)
for mode, group, beyond in modes:
    constants = {"mode": mode, "beyond": beyond, "group": group, "step": forward.STEP}
    compile(forward._draw, forward.WARPS, tile | constants)
for known in (0, 3):
    constants = {"known": known, "step": backward.STEP}
    compile(backward._sum_entries, backward.WARPS, tile | constants)
for learned in (False, True):
    compile(backward._differentiate, 1, {"learned": learned, "rows": backward.ROWS})
compile(adam._step, 1, {"columns": 8, "rows": fit_step.ROWS}, first="*fp32")
compile(gauss_newton._step, 1, {"columns": 8, "rows": fit_step.ROWS}, faint="fp32")
compile(fit_step._finish, 4, {"block": fit_step.TOTAL_BLOCK}, losses="*fp64")
for stored, tensors in ((False, 1), (True, 3), (True, adan.MOST_TENSORS)):
    rates = "*fp32" if stored else "*i32"
    many = ("parameters", "gradients", "means", "differences", "squares", "previous")
    kinds = dict.fromkeys(many, ("*fp32",) * tensors)
    kinds |= {"steps": ("*fp64",) * tensors, "counts": ("i32",) * tensors, "waiting": "*i32"}
    constants = {"tensors": tensors, "rate_is_stored": stored, "block": adan.BLOCK}
    compile(adan._adan, 4, constants, rates=rates, **kinds)
"""


@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90, 120])  # from Ampere to Blackwell
def test_the_kernels_compile(capability, tmp_path):
    environment = os.environ | {"TRITON_CACHE_DIR": str(tmp_path)}
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(capability)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 20

"""Says how to get Triton where it is missing; every file with kernels imports this one first."""

try:
    import triton as _triton
except ModuleNotFoundError as error:
    if error.name != "triton":
        raise
    raise ModuleNotFoundError(
        "gaussianimage.torch needs Triton to draw on CUDA: pip install gaussianimage[torch]",
        name="triton",
    ) from error

del _triton

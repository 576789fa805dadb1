"""Work that is repeated: a CUDA graph on a GPU, plain calls on a CPU."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def replayable(work: Callable[[], None], changed: Sequence[Tensor]) -> Callable[[], None]:
    """Record work on a GPU, so that repeating it takes one launch.

    Parameters
    ----------
    work : callable
        Launches the same kernels on the same memory each time, and waits for no result. It is
        called once before it is recorded, so that every kernel is compiled.
    changed : sequence of Tensor
        The tensors that it changes and later depends on; restored after that call. The device of
        the first one tells whether there is a GPU.

    Returns
    -------
    callable
        Repeats the work: a CUDA graph's replay, or on a CPU `work` itself.
    """
    device = changed[0].device
    if device.type != "cuda":
        return work
    with torch.cuda.device(device):
        before = [tensor.clone() for tensor in changed]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            work()
        torch.cuda.current_stream().wait_stream(stream)
        with torch.no_grad():
            for tensor, value in zip(changed, before, strict=True):
                tensor.copy_(value)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
    return graph.replay

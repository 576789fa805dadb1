"""The same work over and over: a CUDA graph where there is a GPU, else plain calls."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def replayable(work: Callable[[], None], changed: Sequence[Tensor]) -> Callable[[], None]:
    """Record work on a GPU, so that repeating it costs no time of the CPU.

    Parameters
    ----------
    work : callable
        Works on tensors that stay where they are, in the same way whatever is in them: it may wait
        for no result. It is run once before it is recorded, so that every kernel is compiled.
    changed : sequence of Tensor
        What it changes and later depends on; put back as it was after that run. The first one's
        device decides whether there is anything to record.

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

"""The engines by their names."""

from gaussianimage import _native
from gaussianimage._util.arguments import positive, thread_count
from gaussianimage.batching.engine import Engine
from gaussianimage.batching.local_engine import LocalEngine

__all__ = ["ENGINES", "check_engine", "open_engine"]

ENGINES = ("local", "ray")


def check_engine(name: str, *, address: str | None = None, jobs: int | None = None) -> None:
    """Check the arguments of `open_engine` before any work is done.

    Raises
    ------
    ValueError
        If there is no such engine, or an argument is out of range.
    ImportError
        If Ray is not installed; the message names the extra.
    """
    if name not in ENGINES:
        raise ValueError(f"engine: expected local or ray, got {name!r}")
    if name == "ray":
        from gaussianimage.batching.ray_engine import import_ray

        if jobs is not None:
            positive("jobs", jobs)
        import_ray()
    else:
        if address is not None:
            raise ValueError("address: is for the engine ray")
        thread_count(jobs)


def open_engine(
    name: str, *, address: str | None = None, jobs: int | None = None, gpus: float = 0
) -> Engine:
    """Return an engine.

    Parameters
    ----------
    name : {"local", "ray"}
        "local" works on threads of this process, "ray" on processes, which may be on other
        machines.
    address : str, optional
        Address of a Ray cluster; without one, Ray starts on this machine and ends with the engine.
    jobs : int, optional
        Number of workers, 1 to 256 for "local"; by default as many as there are CPUs, for a cluster
        in the whole cluster.
    gpus : float
        Number of GPUs that a worker of Ray needs.

    Raises
    ------
    ValueError
        If there is no such engine, or a number is out of range.
    ImportError
        If Ray is not installed; the message names the extra.
    ConnectionError
        If no cluster answers at the address, or Ray does not start.
    """
    check_engine(name, address=address, jobs=jobs)
    if name == "ray":
        from gaussianimage.batching.ray_engine import RayEngine

        return RayEngine(address, jobs, gpus)
    return LocalEngine(thread_count(jobs) or _native.cpus())

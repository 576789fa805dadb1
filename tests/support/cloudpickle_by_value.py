"""Functions of a test go to Ray's workers as they are, since the workers can't import tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def of(module: ModuleType) -> Iterator[None]:
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)

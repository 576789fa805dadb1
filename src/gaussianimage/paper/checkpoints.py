"""Models in files: safetensors of our own, and the checkpoints of the authors' code."""

import pickle
from collections.abc import Mapping
from os import PathLike
from typing import Any, TypeAlias

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor, nn

from gaussianimage._util.safetensors import load_tensors, metadata_number, save_tensors
from gaussianimage.errors import FormatError
from gaussianimage.torch.models.opacity import BlendedModel, OpacityModel
from gaussianimage.torch.models.splatting import SplattingModel
from gaussianimage.torch.models.sum import (
    Canvas,
    CholeskyModel,
    GaussianModel,
    RawParameters,
    ScaleRotationModel,
)

__all__ = ["import_checkpoint", "load_model", "save_model"]

StrPath: TypeAlias = str | PathLike[str]

_KIND = "gaussianimage.paper.model"
_VERSION = 1

_FLAT: dict[str, type[GaussianModel]] = {
    "cholesky": CholeskyModel,
    "rs": ScaleRotationModel,
    "opacity": OpacityModel,
    "alpha": BlendedModel,
}
_SPATIAL = "3dgs"

# The authors' code samples pixels at integer coordinates; pixel centers are at +½ here.
_AUTHORS_SHIFT = 0.5

_MAX_GAUSSIANS = 2**24
_DEEPEST = 3


def save_model(model: nn.Module, path: StrPath) -> None:
    """Write a model's parameters to a safetensors file, which is complete or does not exist.

    Parameters
    ----------
    model : nn.Module
        One of the models of `gaussianimage.torch`, on any device.
    path : path-like
        The file to write or replace.

    Raises
    ------
    TypeError
        If the model is of another kind.
    OSError
        If the file can't be written; an existing file is left unchanged.
    """
    names = [name for name, kind in _FLAT.items() if type(model) is kind]
    metadata: dict[str, str]
    if names and isinstance(model, GaussianModel):
        canvas = model.canvas
        metadata = {
            "model": names[0],
            "height": str(canvas.height),
            "width": str(canvas.width),
            "q_max": repr(float(canvas.q_max)),
            "shift": repr(float(canvas.shift)),
            "offset": str(int(model.offset)),
        }
    elif isinstance(model, SplattingModel):
        metadata = {"model": _SPATIAL, "height": str(model.height), "width": str(model.width)}
    else:
        raise TypeError(
            f"model: expected a model of gaussianimage.torch, got {type(model).__name__}"
        )
    tensors = {name: p.detach().cpu().numpy() for name, p in model.named_parameters()}
    save_tensors(path, _KIND, _VERSION, tensors, metadata)


def load_model(path: StrPath) -> nn.Module:
    """Read a model that `save_model` wrote, onto the CPU.

    Raises
    ------
    FormatError
        If the file is of another kind, or a part is missing or wrong.
    UnsupportedError
        If a newer version of this package wrote the file.
    OSError
        If the file can't be read.
    """
    arrays, metadata = load_tensors(path, _KIND, _VERSION, ("means",), ("model",))
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    name = metadata["model"]
    model: nn.Module
    try:
        if name == _SPATIAL:
            model = _spatial(path, tensors, metadata)
        elif name in _FLAT:
            model = _flat(path, _FLAT[name], tensors, metadata)
        else:
            raise FormatError(f"{path}: unknown model {name!r}")
        model.load_state_dict(tensors)
    except KeyError as error:
        raise FormatError(f"{path}: tensor missing: {error.args[0]}") from error
    except (RuntimeError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: {error}") from error
    _require_finite(path, tensors)
    return model


def import_checkpoint(path: StrPath, size: tuple[int, int]) -> CholeskyModel | ScaleRotationModel:
    """Read a checkpoint of the GaussianImage authors' code, a ``.pth.tar`` file, onto the CPU.

    Parameters
    ----------
    path : path-like
        A file that their code wrote with `torch.save`: a state dict with `_xyz`, (N, 2),
        `_features_dc`, (N, C), and `_cholesky`, (N, 3), or `_scaling`, (N, 2), and `_rotation`,
        (N, 1). The state dict may be inside other dicts. Quantizers are ignored.
    size : (int, int)
        Height and width of the picture in pixels, which the file does not hold.

    Returns
    -------
    CholeskyModel or ScaleRotationModel
        In float32, with ln 255 as cut-off. The authors' code samples pixels at integer coordinates,
        so the centers are shifted by half a pixel.

    Raises
    ------
    TypeError, ValueError
        If `size` is not two positive integers.
    FormatError
        If the file is of another kind, or a part is missing or wrong. Only tensors are loaded;
        a file that would run code is refused.
    OSError
        If the file can't be read.
    """
    canvas = Canvas(*size, shift=_AUTHORS_SHIFT)
    found = _state_dict(_unpickled(path))
    if found is None:
        raise FormatError(f"{path}: no state dict with _xyz in it")
    means = _tensor(path, found, "_xyz", 2)
    colors = _tensor(path, found, "_features_dc", None)
    kind: type[CholeskyModel | ScaleRotationModel]
    if "_cholesky" in found:
        kind, shape, bound = CholeskyModel, _tensor(path, found, "_cholesky", 3), "cholesky_bound"
    elif "_scaling" in found:
        parts = [_tensor(path, found, "_scaling", 2), _tensor(path, found, "_rotation", 1)]
        _require_count(path, "_rotation", parts[1], len(parts[0]))
        kind, shape, bound = ScaleRotationModel, torch.cat(parts, 1), "bound"
    else:
        raise FormatError(f"{path}: neither _cholesky nor _scaling in it")
    for name, tensor in (("shape", shape), ("_features_dc", colors)):
        _require_count(path, name, tensor, len(means))
    offset = _offset(path, found, bound)
    return kind(RawParameters(means, shape, colors), canvas, offset=offset)


def _flat(
    path: StrPath,
    kind: type[GaussianModel],
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
) -> GaussianModel:
    raw = RawParameters(*(tensors[name] for name in RawParameters._fields))
    height, width = _size(path, metadata)
    q_max, shift = (metadata_number(path, metadata, name, float) for name in ("q_max", "shift"))
    offset = metadata_number(path, metadata, "offset", int)
    return kind(raw, Canvas(height, width, q_max, shift), offset=bool(offset))


def _spatial(
    path: StrPath, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> SplattingModel:
    constant = tensors["coefficients"][:, 0]
    size = _size(path, metadata)
    return SplattingModel(tensors["means"], constant, tensors["rotations"], *size)


def _size(path: StrPath, metadata: Mapping[str, str]) -> tuple[int, int]:
    height, width = (metadata_number(path, metadata, name, int) for name in ("height", "width"))
    return height, width


def _require_finite(path: StrPath, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise FormatError(f"{path}: {name}: not all numbers are finite")


def _unpickled(path: StrPath) -> Any:
    """Load a file that PyTorch wrote; it may hold only tensors and containers of tensors."""
    with open(path, "rb") as file:  # noqa: PTH123  (an OSError here is about the file itself)
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            reason = "it holds more than tensors, or is damaged"
            raise FormatError(f"{path}: not a checkpoint that can be loaded: {reason}") from error
        # A damaged file can raise an error of any type inside PyTorch.
        except Exception as error:
            kind = type(error).__name__
            raise FormatError(f"{path}: not a whole checkpoint of PyTorch ({kind})") from error


def _state_dict(content: Any, depth: int = 0) -> dict[str, Any] | None:
    """Return the first mapping with a key `_xyz`, without the prefix of wrapped modules."""
    if not isinstance(content, Mapping) or depth > _DEEPEST:
        return None
    names = {str(key).removeprefix("module."): value for key, value in content.items()}
    if "_xyz" in names:
        return names
    for value in content.values():
        found = _state_dict(value, depth + 1)
        if found is not None:
            return found
    return None


def _tensor(path: StrPath, found: Mapping[str, Any], name: str, columns: int | None) -> Tensor:
    """Return a tensor of shape (N, columns) in float32; None stands for 1 to 4 columns."""
    value = found.get(name)
    if not isinstance(value, Tensor):
        what = "missing" if value is None else f"expected a tensor, got {type(value).__name__}"
        raise FormatError(f"{path}: {name}: {what}")
    expected = "C" if columns is None else columns
    fits = value.ndim == 2 and 1 <= len(value) <= _MAX_GAUSSIANS
    fits = fits and (1 <= value.shape[1] <= 4 if columns is None else value.shape[1] == columns)
    if not fits:
        raise FormatError(
            f"{path}: {name}: expected shape (N, {expected}), got {tuple(value.shape)}"
        )
    if not value.is_floating_point():
        raise FormatError(f"{path}: {name}: expected floating point, got {value.dtype}")
    # A tensor with a stride of 0 may claim more elements than the file stores.
    if value.layout != torch.strided or not value.is_contiguous():
        raise FormatError(f"{path}: {name}: expected a plain tensor")
    tensor = value.detach().float().clone()
    _require_finite(path, {name: tensor})
    return tensor


def _require_count(path: StrPath, name: str, tensor: Tensor, count: int) -> None:
    if len(tensor) != count:
        raise FormatError(f"{path}: {name}: expected {count} rows as in _xyz, got {len(tensor)}")


def _offset(path: StrPath, found: Mapping[str, Any], name: str) -> bool:
    """Return whether ½ is added to lengths, from the buffer `name`; True if it is missing."""
    bound = found.get(name)
    if bound is None:
        return True
    if not isinstance(bound, Tensor) or bound.numel() not in (2, 3):
        raise FormatError(f"{path}: {name}: expected a tensor of 2 or 3 numbers")
    lengths = bound.detach().flatten().float()[[0, -1]].tolist()
    if lengths not in ([0.0, 0.0], [0.5, 0.5]):
        raise FormatError(f"{path}: {name}: expected 0.5 or 0, got {lengths}")
    return bool(lengths[0])

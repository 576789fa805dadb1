"""Models in files: safetensors of our own, and the checkpoints of the authors' code."""

import io
import json
import math
import pickle
from collections.abc import Mapping
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor, nn

from gaussianimage._util.files import write_atomic
from gaussianimage._util.safetensors import load_tensors, metadata_number, save_tensors
from gaussianimage.errors import FormatError
from gaussianimage.paper.quantized_model import (
    FlatModel,
    LearnedQuantizers,
    QuantizedModel,
    QuantizerSettings,
)
from gaussianimage.paper.residual_vq import ResidualQuantizer
from gaussianimage.torch.models.opacity import BlendedModel, OpacityModel
from gaussianimage.torch.models.splatting import SplattingModel
from gaussianimage.torch.models.sum import (
    PAPER_Q_MAX,
    Canvas,
    CholeskyModel,
    GaussianModel,
    RawParameters,
    ScaleRotationModel,
)

__all__ = [
    "AUTHORS_BITS",
    "export_checkpoint",
    "import_checkpoint",
    "import_model",
    "import_quantizers",
    "import_spatial",
    "load_model",
    "load_quantized",
    "save_model",
    "save_quantized",
]

StrPath: TypeAlias = str | PathLike[str]

_KIND = "gaussianimage.paper.model"
_QUANTIZED = "gaussianimage.paper.quantized_model"
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

AUTHORS_BITS = 6  # of a number of the shape, in the authors' code
_LAYERS = "features_dc_quantizer.quantizer.layers"

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
        metadata = {
            "model": _SPATIAL,
            "height": str(model.height),
            "width": str(model.width),
            "shift": repr(model.shift),
        }
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


def save_quantized(model: QuantizedModel, path: StrPath) -> None:
    """Write a model with its quantizers to a safetensors file, to go on fine-tuning it.

    Parameters
    ----------
    model : QuantizedModel
    path : path-like
        The file to write or replace; it is complete or does not exist.

    Raises
    ------
    OSError
        If the file can't be written.
    """
    flat = model.model
    canvas = flat.canvas
    metadata = {
        "model": "rs" if isinstance(flat, ScaleRotationModel) else "cholesky",
        "height": str(canvas.height),
        "width": str(canvas.width),
        "q_max": repr(float(canvas.q_max)),
        "shift": repr(float(canvas.shift)),
        "offset": str(int(flat.offset)),
        "quantizers": json.dumps(asdict(model.settings)),
    }
    tensors = {name: t.detach().cpu().numpy() for name, t in model.state_dict().items()}
    save_tensors(path, _QUANTIZED, _VERSION, tensors, metadata)


def load_quantized(path: StrPath) -> QuantizedModel:
    """Read a model that `save_quantized` wrote, onto the CPU.

    Raises
    ------
    FormatError, UnsupportedError, OSError
        In the same cases as `load_model`.
    """
    arrays, metadata = load_tensors(path, _QUANTIZED, _VERSION, ("model.means",), ("quantizers",))
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    try:
        own = {name.removeprefix("model."): t for name, t in tensors.items()}
        flat = _flat(path, _FLAT[metadata["model"]], own, metadata)
        if not isinstance(flat, CholeskyModel | ScaleRotationModel):
            raise FormatError(f"{path}: no model with quantizers")
        settings = QuantizerSettings(**json.loads(metadata["quantizers"]))
        model = QuantizedModel(flat, settings)
        model.load_state_dict(tensors)
    except KeyError as error:
        raise FormatError(f"{path}: tensor or metadata missing: {error.args[0]}") from error
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
        (N, 1). The state dict may be inside other dicts. `import_quantizers` reads its quantizers.
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
    return _flat_model(path, _read_state(path), size)


def import_model(
    path: StrPath, size: tuple[int, int]
) -> CholeskyModel | ScaleRotationModel | SplattingModel:
    """Read a checkpoint of a 2D or a 3D model, as `import_checkpoint` or `import_spatial` does."""
    state = _read_state(path)
    means = state["_xyz"]
    is_spatial = isinstance(means, Tensor) and means.ndim == 2 and means.shape[1] == 3
    return (_spatial_model if is_spatial else _flat_model)(path, state, size)


def _flat_model(
    path: StrPath, found: Mapping[str, Any], size: tuple[int, int]
) -> CholeskyModel | ScaleRotationModel:
    canvas = Canvas(*size, shift=_AUTHORS_SHIFT)
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


def import_spatial(path: StrPath, size: tuple[int, int]) -> SplattingModel:
    """Read a 3D checkpoint of the GaussianImage authors' code, their baseline, onto the CPU.

    Parameters
    ----------
    path : path-like
        A state dict with `_xyz`, (N, 3), `_scaling`, (N, 3), `_rotation`, (N, 4), `_opacity`,
        (N, 1), `_features_dc`, (N, 1, 3), and `_features_rest`, (N, K, 3) with K = 0, 3, 8 or 15
        for `--sh_degree` 0 to 3.
    size : (int, int)
        Height and width of the picture in pixels.

    Returns
    -------
    SplattingModel
        In float32, shifted by half a pixel.

    Raises
    ------
    TypeError, ValueError, FormatError, OSError
        In the same cases as `import_checkpoint`.
    """
    return _spatial_model(path, _read_state(path), size)


def _spatial_model(
    path: StrPath, found: Mapping[str, Any], size: tuple[int, int]
) -> SplattingModel:
    means, scales, rotations, opacities = (
        _tensor(path, found, name, columns)
        for name, columns in (("_xyz", 3), ("_scaling", 3), ("_rotation", 4), ("_opacity", 1))
    )
    count = len(means)
    for name, tensor in (("_scaling", scales), ("_rotation", rotations), ("_opacity", opacities)):
        _require_count(path, name, tensor, count)
    rest = found.get("_features_rest")
    terms = rest.shape[1] if isinstance(rest, Tensor) and rest.ndim == 3 else -1
    if terms not in (0, 3, 8, 15):
        shapes = "(N, 0, 3), (N, 3, 3), (N, 8, 3) or (N, 15, 3)"
        raise FormatError(f"{path}: _features_rest: expected shape {shapes}")
    first = _numbers(path, found, "_features_dc", (count, 1, 3))
    others = _numbers(path, found, "_features_rest", (count, terms, 3))
    degree = math.isqrt(terms + 1) - 1
    model = SplattingModel(
        means, first[:, 0], rotations, *size, degree=degree, shift=_AUTHORS_SHIFT
    )
    with torch.no_grad():
        model.scales.copy_(scales)
        model.opacities.copy_(opacities[:, 0])
        model.coefficients.copy_(torch.cat([first, others], 1))
    return model


def import_quantizers(path: StrPath) -> LearnedQuantizers | None:
    """Read the quantizers of a checkpoint that the authors' `train_quantize.py` wrote.

    Parameters
    ----------
    path : path-like
        As for `import_checkpoint`.

    Returns
    -------
    LearnedQuantizers or None
        Steps and offsets of the shape, of 6 bits, and the codebooks of the color with their moving
        averages; None if the checkpoint has no quantizers.

    Raises
    ------
    FormatError, OSError
        In the same cases as `import_checkpoint`.
    """
    found = _read_state(path)
    angle = "_scaling" in found
    names = (
        {"scaling_quantizer": 2, "rotation_quantizer": 1} if angle else {"cholesky_quantizer": 3}
    )
    if not any(f"{name}.scale" in found for name in names):
        return None
    scale, beta = (
        torch.cat([_numbers(path, found, f"{name}.{part}", (n,)) for name, n in names.items()])
        for part in ("scale", "beta")
    )
    if not bool((scale > 0).all()):
        raise FormatError(f"{path}: a quantizer has a step that is not above 0")
    books: list[Tensor] = []
    counts, sums = [], []
    while f"{_LAYERS}.{len(books)}._codebook.embed" in found:
        layer = f"{_LAYERS}.{len(books)}._codebook"
        shape: tuple[int, ...] = tuple(getattr(found[f"{layer}.embed"], "shape", ()))
        if len(shape) != 3 or shape[0] != 1:
            raise FormatError(f"{path}: {layer}.embed: expected shape (1, K, C)")
        book = _numbers(path, found, f"{layer}.embed", shape)[0]
        count = torch.ones(len(book))
        if f"{layer}.cluster_size" in found:
            count = _numbers(path, found, f"{layer}.cluster_size", (1, len(book)))[0]
        total = book * count[:, None]
        if f"{layer}.embed_avg" in found:
            total = _numbers(path, found, f"{layer}.embed_avg", shape)[0]
        books.append(book)
        counts.append(count)
        sums.append(total)
    if not books or len({book.shape for book in books}) > 1:
        raise FormatError(f"{path}: expected codebooks of one shape as {_LAYERS}.0._codebook.embed")
    return LearnedQuantizers(
        scale, beta, torch.stack(books), torch.stack(counts), torch.stack(sums), angle
    )


def export_checkpoint(model: FlatModel | QuantizedModel, path: StrPath) -> None:
    """Write a checkpoint that the authors' code loads, a ``.pth.tar`` file.

    Parameters
    ----------
    model : CholeskyModel, ScaleRotationModel or QuantizedModel
        With ln 255 as cut-off. A quantized model has the released quantizers: 6 bits, residual
        vector quantization, and of a rotation the angle.
    path : path-like
        The file to write or replace.

    Raises
    ------
    TypeError, ValueError
        If the authors' code has no such model.
    OSError
        If the file can't be written.

    Notes
    -----
    Their pixels have integer coordinates: the centers of a model without shift move by −½ px, and
    those within ½ px of the left or upper side end on it.
    """
    quantized = model if isinstance(model, QuantizedModel) else None
    flat = model.model if isinstance(model, QuantizedModel) else model
    if type(flat) not in (CholeskyModel, ScaleRotationModel):
        raise TypeError(f"model: expected a model of the codec, got {type(flat).__name__}")
    if abs(flat.canvas.q_max - PAPER_Q_MAX) > 1e-3:
        raise ValueError(f"model: expected a cut-off of ln 255, got {flat.canvas.q_max:g}")
    half = flat.offsets.abs().amax().expand(1, 2)
    with torch.no_grad():
        state: dict[str, Tensor] = {
            "_xyz": _authors_means(flat),
            "_opacity": torch.ones(len(flat.means), 1),
            "_features_dc": flat.colors,
            "background": torch.ones(flat.colors.shape[1]),
            "bound": half,
        }
        if isinstance(flat, ScaleRotationModel):
            state |= {"_scaling": flat.shape[:, :2], "_rotation": flat.shape[:, 2:]}
        else:
            state |= {"_cholesky": flat.shape, "cholesky_bound": flat.offsets[None]}
        if quantized is not None:
            state |= _authors_quantizers(quantized)
        plain = {name: t.detach().float().cpu().contiguous().clone() for name, t in state.items()}
    buffer = io.BytesIO()
    torch.save(plain, buffer)
    write_atomic(Path(path), buffer.getvalue())


def _authors_means(model: GaussianModel) -> Tensor:
    """Return a model's means for pixels with integer coordinates, (N, 2), before the tanh."""
    if model.canvas.shift == _AUTHORS_SHIFT:
        return model.means
    moved = model.means.double().tanh() + (model.canvas.shift - _AUTHORS_SHIFT) / model.reach
    limit = 1 - 2.0**-20
    return moved.clamp(-limit, limit).atanh()


def _authors_quantizers(quantized: QuantizedModel) -> dict[str, Tensor]:
    settings, color = quantized.settings, quantized.color_quantizer
    rotation = isinstance(quantized.model, ScaleRotationModel)
    released = settings.covariance_bits == AUTHORS_BITS and quantized.angle == rotation
    if not released or not isinstance(color, ResidualQuantizer):
        raise ValueError(
            "model: the authors' code quantizes shapes by 6 bits, rotations as angles, and colors "
            "by residual vector quantization"
        )
    scale, beta = quantized.shape_quantizer.positive_scale(), quantized.shape_quantizer.beta
    parts = {"cholesky_quantizer": slice(0, 3)}
    if rotation:
        parts = {"scaling_quantizer": slice(0, 2), "rotation_quantizer": slice(2, 3)}
    state: dict[str, Tensor] = {}
    for name, part in parts.items():
        state |= {f"{name}.scale": scale[part], f"{name}.beta": beta[part]}
    for stage in range(len(color.codebooks)):
        layer = f"{_LAYERS}.{stage}._codebook"
        state[f"{layer}.initted"] = torch.ones(1)
        state[f"{layer}.embed"] = color.codebooks[None, stage]
        state[f"{layer}.embed_avg"] = color.sums[None, stage]
        state[f"{layer}.cluster_size"] = color.counts[None, stage]
    return state


def _numbers(path: StrPath, found: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Tensor:
    """Return a tensor of a shape in float32."""
    value = found.get(name)
    if not isinstance(value, Tensor) or value.shape != shape or not value.is_floating_point():
        raise FormatError(f"{path}: {name}: expected a tensor of shape {shape}")
    if value.layout != torch.strided or not value.is_contiguous():
        raise FormatError(f"{path}: {name}: expected a plain tensor")
    tensor = value.detach().float().clone()
    _require_finite(path, {name: tensor})
    return tensor


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
    degree = math.isqrt(tensors["coefficients"].shape[1]) - 1
    shift = metadata_number(path, metadata, "shift", float) if "shift" in metadata else 0.0
    parts = tensors["means"], constant, tensors["rotations"]
    return SplattingModel(*parts, *size, degree=degree, shift=shift)


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


def _read_state(path: StrPath) -> dict[str, Any]:
    """Return the state dict of a checkpoint."""
    found = _state_dict(_unpickled(path))
    if found is None:
        raise FormatError(f"{path}: no state dict with _xyz in it")
    return found


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

"""Any bytes as saved models of PyTorch, plain and with quantizers, and as states of a training."""

import json
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from support.loop import load_target
from support.mutation import mutate_bytes
from support.outcome import attempt
from torch import nn

from gaussianimage.paper.checkpoints import load_model, load_quantized, save_model, save_quantized
from gaussianimage.paper.native_loop import NativeLoop
from gaussianimage.paper.quantized_model import VARIANTS, QuantizedModel, QuantizerSettings
from gaussianimage.paper.recipe import Recipe
from gaussianimage.paper.saved_training import SavedTraining
from gaussianimage.paper.training import TrainingMonitor
from gaussianimage.torch.models.opacity import BlendedModel, OpacityModel
from gaussianimage.torch.models.splatting import SplattingModel
from gaussianimage.torch.models.sum import CholeskyModel, ScaleRotationModel

FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))
PATH = FOLDER / "file.safetensors"
SIZE = (9, 12)
COUNT = 5
RECIPE = Recipe(iterations=10)
_LARGEST_SIDE = 100
_MOST_GAUSSIANS = 100
_VALUES: list[Any] = [0, 1, -1, 3, 2**20, 2**40, 10**30, 0.5, 1e400, float("nan"), "int", "rvq"]
_VALUES += ["", None, True, [], {}, [[1, 2]], [[0, 30.0]], [[1, "a"]]]

_mutate_header = load_target("saved_state").mutate


def _loop() -> NativeLoop:
    """Return a training at its start, always the same."""
    target = torch.linspace(0, 1, SIZE[0] * SIZE[1] * 3).reshape(*SIZE, 3)
    return NativeLoop(QuantizedModel(CholeskyModel.random(COUNT, *SIZE)), target, threads=1)


def seeds() -> list[bytes]:
    """Return models of every kind, with quantizers of every kind, and a state of a training."""
    kinds = (CholeskyModel, ScaleRotationModel, OpacityModel, BlendedModel, SplattingModel)
    found = []
    for kind in kinds:
        save_model(kind.random(COUNT, *SIZE), PATH)
        found.append(PATH.read_bytes())
    for settings in (*VARIANTS.values(), QuantizerSettings(angle=True)):
        for kind in (CholeskyModel, ScaleRotationModel):
            save_quantized(QuantizedModel(kind.random(COUNT, *SIZE), settings), PATH)
            found.append(PATH.read_bytes())
    PATH.unlink()
    loop, saved = _loop(), SavedTraining(PATH)
    saved.begin(loop, [], RECIPE)
    loop.run([1e-3] * 3)
    saved.save(loop, [[0, 20.0, 0.5], [2, 21.0, 0.6]])
    return [*found, PATH.read_bytes()]


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change the header, a text of the metadata or, if that is JSON, a value in it."""
    if rng.random() < 0.5:
        return _mutate_header(data, rng)
    size = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + size])
        texts = header["__metadata__"]
        name = rng.choice([name for name in texts if name != "identity"])
        texts[name] = _changed(texts[name], rng)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return mutate_bytes(data, rng)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def _changed(text: str, rng: random.Random) -> str:
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    value = rng.choice(_VALUES)
    if isinstance(content, dict) and content and rng.random() < 0.8:
        content[rng.choice([*content])] = value
    elif isinstance(content, list) and content and rng.random() < 0.5:
        content[rng.randrange(len(content))] = value
    elif rng.random() < 0.5:
        content = value
    else:
        return mutate_bytes(text.encode(), rng).decode("latin-1")
    return json.dumps(content)


def _draw(model: nn.Module) -> None:
    """Draw a model's picture, if it is small."""
    flat = model.model if isinstance(model, QuantizedModel) else model
    canvas = getattr(flat, "canvas", flat)
    if max(canvas.height, canvas.width) > _LARGEST_SIDE or len(flat.means) > _MOST_GAUSSIANS:
        return
    with torch.no_grad():
        image = model()
    assert image.shape[:2] == (canvas.height, canvas.width)


def _continue_training() -> str:
    """Go on from the file, and return from where."""
    loop, saved = _loop(), SavedTraining(PATH)
    start = loop.state()
    monitor = TrainingMonitor(RECIPE, None)
    saved.begin(loop, monitor.state(), RECIPE)
    monitor.restore(saved.monitor)
    monitor.finish(loop.steps, 0.5)
    begun = loop.state()
    if loop.steps == 0 and loop.best_error == np.inf:
        assert all(np.array_equal(begun[name], start[name]) for name in start)
    assert 0 <= loop.steps <= RECIPE.iterations
    loop.run([1e-3])
    return f"step {loop.steps}"


def check(data: bytes) -> str:
    """Load the file as each of the three, and use what was loaded."""
    PATH.write_bytes(data)
    outcomes = []
    for load in (load_model, load_quantized):
        model = attempt(lambda load=load: load(PATH))
        if model.error is None:
            _draw(model.value)
        outcomes.append(model.name)
    return ", ".join([*outcomes, _continue_training()])

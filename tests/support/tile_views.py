"""Views of tiled files that JavaScript draws in Node, and the native decoder's."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from node_scripts import run_script
from numpy.typing import NDArray

import gaussianimage
from gaussianimage.web.bundle import MODULES

SCRIPT = f"""
import {{ readFileSync }} from 'node:fs';
import {{ loadPicture }} from '{(MODULES / "client.js").as_uri()}';
import {{ drawPixels }} from '{(MODULES / "cpu.js").as_uri()}';
for (const [file, views] of JSON.parse(readFileSync(0, 'utf8'))) {{
  const told = {{ errors: [], drawn: [] }};
  try {{
    const picture = await loadPicture(new Uint8Array(readFileSync(file)));
    const {{ tiles }} = picture;
    told.header = picture.header;
    told.chunks = [...picture.chunks.keys()];
    told.bytes = picture.bytes;
    tiles.addEventListener('error', (event) => told.errors.push(event.detail.message));
    for (const view of views) {{
      await tiles.load(view);
      const part = tiles.compose(view);
      const pixels = drawPixels(part.picture, part.view);
      const {{ alpha, alphaPlace }} = part.picture;
      told.drawn.push({{
        pixels: Buffer.from(pixels).toString('base64'),
        loaded: tiles.loaded,
        map: alpha && {{ ...alphaPlace, length: alpha.length }},
      }});
    }}
  }} catch (error) {{
    told.failure = [error.name === 'GimgError' ? error.kind : 'crash', error.stack];
  }}
  console.log(JSON.stringify(told));
}}
"""


def run(node: str, requests: Sequence[Any]) -> list[dict[str, Any]]:
    """Load files in Node and draw views of them: each request is a path and its views."""
    return [json.loads(line) for line in run_script(node, SCRIPT, requests)]


def view_of(shape: tuple[int, int], size: tuple[int, int], crop: Sequence[int]) -> dict[str, float]:
    """Return the view of a crop (top, left, height, width) of a drawing of `size`."""
    down, across = size[0] / shape[0], size[1] / shape[1]
    place = {"left": crop[1] / across, "top": crop[0] / down}
    return {**place, "width": crop[3], "height": crop[2], "scaleX": across, "scaleY": down}


def native(data: bytes, size: tuple[int, int], crop: Sequence[int]) -> NDArray[np.int64]:
    """Return a crop (top, left, height, width) of a decode of `size`, as RGBA."""
    top, left, height, width = crop
    pixels = gaussianimage.decode(data, size=size, crop=(top, left, height, width))
    return rgba(pixels.reshape(height, width, -1).astype(np.int64))


def rgba(pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return pixels of 1 to 4 channels as RGBA."""
    height, width, channels = pixels.shape
    color = pixels[..., : 3 if channels > 2 else 1]
    alpha = np.full((height, width, 1), 255)
    if channels % 2 == 0:
        alpha = pixels[..., -1:]
    return np.concatenate([np.broadcast_to(color, (height, width, 3)), alpha], axis=2)


def samples_of(text: str, like: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return samples in Base64 as an array of the shape of another."""
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(like.shape).astype(np.int64)


def assert_close(found: NDArray[np.int64], expected: NDArray[np.int64]) -> None:
    """Assert that samples differ by rounding alone."""
    difference = np.abs(found - expected)
    assert difference.max() <= 2
    assert (difference > 1).mean() <= 0.001

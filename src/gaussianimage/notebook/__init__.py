"""A widget for notebooks that shows what a quality costs; needs `gaussianimage[notebook]`.

Pictures need no widget: a `Picture`, `Gaussians` and an `EncodeResult` show themselves as the value
of a cell.
"""

try:
    import anywidget as _anywidget
except ModuleNotFoundError as error:
    if error.name != "anywidget":
        raise
    raise ModuleNotFoundError(
        "gaussianimage.notebook needs anywidget: pip install gaussianimage[notebook]",
        name="anywidget",
    ) from error

from gaussianimage.notebook.encode_widget import EncodeWidget

__all__ = ["EncodeWidget"]

del _anywidget

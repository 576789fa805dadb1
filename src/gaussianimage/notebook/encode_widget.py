"""The widget: a slider for the quality, and the source beside what it becomes."""

import threading
from collections.abc import Callable
from pathlib import Path

import anywidget
import traitlets

from gaussianimage._util.arguments import integer, within
from gaussianimage.codec.decoder.decode import decode_gaussians, decode_picture
from gaussianimage.codec.encoder.effort import effort_level
from gaussianimage.codec.encoder.encode import EncodeResult, encode_with_result
from gaussianimage.errors import GaussianImageError
from gaussianimage.fitting.progress import Progress
from gaussianimage.picture import Picture, PictureSource, as_picture, to_array
from gaussianimage.picture.preview import png_preview
from gaussianimage.visualize.ellipses import draw_ellipses

LONGEST = 2048  # pixels of a side of what is sent to the browser


class _OutdatedError(Exception):
    """The reader has chosen another quality, or closed the widget."""


class EncodeWidget(anywidget.AnyWidget):
    """A picture beside its ``.gimg`` file, with a slider for the quality.

    The widget encodes in a thread of its own, and starts again when the quality changes. Both
    pictures share one zoom and can be dragged. A box shows the Gaussians as ellipses.

    Parameters
    ----------
    picture : Picture, array, PIL image, path or bytes
        What `gaussianimage.as_picture` takes.
    quality : float, default 60
        Quality at first, 0 to 100.
    effort : int, default 1
        1 (fastest) to 10 (smallest).
    zoom : float, default 1
        Enlargement at first, 1 to 16; at 1 the whole picture is seen.
    ellipses : bool, default False
        Whether the Gaussians are shown as ellipses in place of the decoded picture.
    white : float, optional
        As for `gaussianimage.as_picture`.

    Attributes
    ----------
    quality, zoom, ellipses
        As above. They can be set from Python too, and observed as other widgets' traits.
    result : EncodeResult or None
        The newest file; None until the first one is done.
    busy : bool
        Whether a file is being encoded or drawn.
    status : str
        Size, bits per pixel, PSNR and number of Gaussians of `result`, or what went wrong.

    Raises
    ------
    PictureError, UnsupportedError
        The picture can't be read.
    TypeError, ValueError, traitlets.TraitError
        An argument has a wrong type or is out of range.
    """

    _esm = Path(__file__).parent / "encode_widget.js"
    _css = Path(__file__).parent / "encode_widget.css"

    quality = traitlets.Float(60.0, min=0.0, max=100.0).tag(sync=True)
    zoom = traitlets.Float(1.0, min=1.0, max=16.0).tag(sync=True)
    ellipses = traitlets.Bool(False).tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    done = traitlets.Float(0.0).tag(sync=True)  # completed share of the work, 0 to 1
    status = traitlets.Unicode("").tag(sync=True)
    # Height and width of the picture in pixels, and PNG files of at most LONGEST pixels a side.
    size = traitlets.Tuple(traitlets.Int(), traitlets.Int(), default_value=(1, 1)).tag(sync=True)
    source_png = traitlets.Bytes(b"").tag(sync=True)
    result_png = traitlets.Bytes(b"").tag(sync=True)
    ellipses_png = traitlets.Bytes(b"").tag(sync=True)

    def __init__(
        self,
        picture: PictureSource,
        *,
        quality: float = 60.0,
        effort: int = 1,
        zoom: float = 1.0,
        ellipses: bool = False,
        white: float | None = None,
    ) -> None:
        effort_level(integer("effort", effort))
        self._picture = as_picture(picture, white=white)
        self._effort = effort
        self._lock = threading.RLock()  # an observer of `busy` may set `quality`
        self._worker: threading.Thread | None = None
        self._tried: float | None = None  # the quality of `result`, or of what failed
        self._closed = False
        self.result: EncodeResult | None = None
        super().__init__(
            quality=quality,
            zoom=zoom,
            ellipses=ellipses,
            size=(self._picture.height, self._picture.width),
            source_png=self._png(self._picture),
        )
        self.observe(self._start, ["quality", "ellipses"])
        self._start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the file of the present quality is done and drawn.

        Parameters
        ----------
        timeout : float, optional
            Longest time to wait in seconds; without end by default.

        Returns
        -------
        bool
            Whether it is done.
        """
        worker = self._worker
        if worker is not None:
            worker.join(timeout)
            if worker.is_alive():
                return False
        if not self._closed:
            # Tools that run notebooks keep only what a running cell sends.
            self.send_state()
        return True

    def close(self) -> None:
        """End the work and take the widget off the page."""
        self._closed = True
        super().close()

    def _start(self, _change: object = None) -> None:
        with self._lock:
            if self._worker is None and self._next_step() is not None:
                self.busy = True
                self._worker = threading.Thread(target=self._work, daemon=True)
                self._worker.start()

    def _next_step(self) -> Callable[[], None] | None:
        if self._closed:
            return None
        if self._tried != self.quality:
            return self._encode
        if self.ellipses and self.result is not None and not self.ellipses_png:
            return self._draw_ellipses
        return None

    def _work(self) -> None:
        try:
            while step := self._next_or_end():
                step()
        finally:
            self._end()

    def _next_or_end(self) -> Callable[[], None] | None:
        # `_start` sees either a thread at work, or that there is none.
        with self._lock:
            step = self._next_step()
            if step is None:
                self._end()
            return step

    def _end(self) -> None:
        with self._lock:
            if self._worker is threading.current_thread():
                self._worker = None
                self.busy = False

    def _encode(self) -> None:
        quality = self.quality

        def report(progress: Progress) -> None:
            if self._closed or self.quality != quality:
                raise _OutdatedError
            self.done = progress.done

        try:
            result = encode_with_result(
                self._picture, quality=quality, effort=self._effort, progress=report
            )
            shown = decode_picture(result.data, size=within(self.size, LONGEST))
        except _OutdatedError:
            return
        except (GaussianImageError, MemoryError) as error:
            self.status = str(error) or type(error).__name__
        else:
            with self.hold_sync():
                self.result = result
                self.ellipses_png = b""
                self.result_png = self._png(shown)
                self.status = (
                    f"{len(result.data) / 1000:.1f} kB, {result.bpp:.3f} bpp, "
                    f"{result.psnr:.1f} dB, {result.gaussians} Gaussians"
                )
        self._tried = quality
        self.done = 1.0

    def _draw_ellipses(self) -> None:
        assert self.result is not None
        gaussians = decode_gaussians(self.result.data)
        drawn = draw_ellipses(gaussians, size=within(self.size, LONGEST))
        self.ellipses_png = png_preview(drawn, longest=LONGEST)

    def _png(self, picture: Picture) -> bytes:
        return png_preview(to_array(picture.pixels), icc=picture.icc, longest=LONGEST)

"""What `register_gimg_opener` takes, checked."""

from dataclasses import dataclass

from gaussianimage._util.arguments import thread_count
from gaussianimage.codec.decoder.file import DEFAULT_LIMITS
from gaussianimage.codec.encoder.effort import effort_level
from gaussianimage.codec.format.header import Limits


@dataclass(frozen=True)
class PluginOptions:
    """Options of the plugin; `register_gimg_opener` documents the arguments and errors."""

    threads: int | None = None
    limits: Limits = DEFAULT_LIMITS
    effort: int | None = None

    def __post_init__(self) -> None:
        thread_count(self.threads)
        Limits.checked(self.limits)
        if self.effort is not None:
            effort_level(self.effort)


DEFAULT_OPTIONS = PluginOptions()

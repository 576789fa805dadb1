"""The classes of pixels by their alpha, of which a file has a map (docs/format.md, 4.9)."""

TRANSPARENT, OPAQUE, BETWEEN = range(3)
"""Alpha is 0, full, or neither."""

AS_DRAWN = 3
"""No class: of a drawn pixel under which the classes differ, or of which a file says nothing."""

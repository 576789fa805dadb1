"""What a browser needs to show `.gimg` files: ES modules in `gimg/`, and pages made of them.

`gimg/` is an npm package of its own: the decoder, the drawing, the element ``<gimg-image>`` and the
viewer. The Python modules beside it put those into pages of a single file.
"""

"""The GaussianImage paper, reproduced: its recipe, its quantizers, its tables.

What fits or draws needs PyTorch, and says so where it is missing: such a module imports
`gaussianimage.torch` before anything else of it. Published and measured results need none.
"""

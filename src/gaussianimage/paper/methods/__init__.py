"""Methods after GaussianImage, each a page on the training loop of `gaussianimage.torch`."""

"""What several rooms use: checks of arguments, files, tensors on disk, Ctrl-C."""

"""The check that PyTorch is installed, for commands that need it."""

import click

__all__ = ["require_torch"]


def require_torch() -> None:
    """Raise a one-line error if PyTorch isn't installed.

    Raises
    ------
    ClickException
        If PyTorch isn't installed; the message names the extra to install.
    """
    try:
        import gaussianimage.torch  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        message = "this command needs PyTorch: pip install gaussianimage[torch]"
        raise click.ClickException(message) from None

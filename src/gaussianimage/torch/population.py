"""A model's Gaussians and their optimizer, whose rows come and go together."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class Population:
    """The parameters of a model that have one row per Gaussian, with the optimizer's state.

    Parameters
    ----------
    model : nn.Module
        Parameters that change their length are replaced by new ones of the same name.
    optimizer : torch.optim.Optimizer
        The optimizer of these parameters. Its state of the same shape as a parameter, such as
        Adam's moments, follows the rows; other state, such as the count of steps, stays.
    names : sequence of str, optional
        The parameters with a row per Gaussian, as `named_parameters` calls them; all by default.

    Raises
    ------
    ValueError
        If there are no such parameters, their lengths differ, or the optimizer lacks one.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        names: Sequence[str] | None = None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        found = dict(model.named_parameters())
        self._names = tuple(found if names is None else names)
        missing = [name for name in self._names if name not in found]
        if missing or not self._names:
            raise ValueError(f"names: the model has no parameter {', '.join(missing)}")
        lengths = {name: len(found[name]) for name in self._names}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"names: expected parameters of the same length, got {lengths}")
        known = [id(p) for group in optimizer.param_groups for p in group["params"]]
        for name in self._names:
            if id(found[name]) not in known:
                raise ValueError(f"optimizer: expected one of the model's parameter {name}")

    def __len__(self) -> int:
        """Return the number of Gaussians N."""
        return len(self[self._names[0]])

    def __getitem__(self, name: str) -> nn.Parameter:
        """Return the parameter of a name, whose rows are the Gaussians now."""
        return self.model.get_parameter(name)

    def add(self, rows: Mapping[str, Tensor]) -> None:
        """Add Gaussians at the end, with optimizer state of zero.

        Parameters
        ----------
        rows : mapping of str to Tensor
            New rows for each parameter; they are converted to its type and device.

        Raises
        ------
        ValueError
            If a parameter is missing, or the lengths differ.
        """
        counts = {name: len(rows[name]) for name in self._names if name in rows}
        if (
            set(counts) != set(rows)
            or len(counts) < len(self._names)
            or len(set(counts.values())) > 1
        ):
            raise ValueError(
                f"rows: expected as many rows for each of {', '.join(self._names)}, "
                f"got { ({name: len(row) for name, row in rows.items()}) }"
            )
        for name in self._names:
            old = self[name]
            new = rows[name].detach().to(old)
            if new.shape[1:] != old.shape[1:]:
                raise ValueError(f"rows: {name}: expected shape (M, …) as {tuple(old.shape)}")
            self._replace(name, torch.cat([old.detach(), new]), None, len(new))

    def prune(self, dead: Tensor) -> None:
        """Remove Gaussians and their state.

        Parameters
        ----------
        dead : Tensor, (N,), bool
        """
        if dead.shape != (len(self),) or dead.dtype != torch.bool:
            raise ValueError(f"dead: expected {len(self)} bools, got {dead.dtype}, {dead.shape}")
        # On the GPU this waits for the number of rows, as every change of length does.
        kept = (~dead).nonzero()[:, 0]
        if len(kept) < len(self):
            self._take(kept)

    def split(self, chosen: Tensor, rows: Mapping[str, Tensor], *, copies: int = 2) -> None:
        """Replace each chosen Gaussian by copies of it, at the end, which inherit its state.

        Parameters
        ----------
        chosen : Tensor, (M,), int64
            Indices of the Gaussians to replace, each once.
        rows : mapping of str to Tensor, (copies · M, …)
            What differs from the parent: first the first copy of all, then the second one, and so
            on. A parameter that is not named is copied.
        copies : int, default 2
        """
        if not len(chosen):
            return
        stays = torch.ones(len(self), dtype=torch.bool, device=chosen.device)
        stays[chosen] = False
        if int(stays.sum()) != len(self) - len(chosen):
            raise ValueError("chosen: expected each index once")
        before = len(self) - len(chosen)
        self._take(torch.cat([stays.nonzero()[:, 0], chosen.repeat(copies)]))
        with torch.no_grad():
            for name, row in rows.items():
                self[name][before:] = row.detach().to(self[name])

    def reset_state(self) -> None:
        """Forget the optimizer's state of these parameters."""
        for name in self._names:
            self.optimizer.state.pop(self[name], None)

    def _take(self, index: Tensor) -> None:
        for name in self._names:
            self._replace(name, self[name].detach()[index], index, 0)

    def _replace(self, name: str, values: Tensor, index: Tensor | None, more: int) -> None:
        """Put a parameter in the place of another: rows of an index, or all of them and more."""
        old = self[name]
        new = nn.Parameter(values, requires_grad=old.requires_grad)
        state = self.optimizer.state.pop(old, None)
        if state is not None:
            self.optimizer.state[new] = {
                key: _moved(value, old.shape, index, more) for key, value in state.items()
            }
        for group in self.optimizer.param_groups:
            group["params"] = [new if p is old else p for p in group["params"]]
        path, _, last = name.rpartition(".")
        setattr(self.model.get_submodule(path), last, new)


def _moved(value: object, shape: torch.Size, index: Tensor | None, more: int) -> object:
    """Return a parameter's state for other rows, if it has any rows."""
    if not isinstance(value, Tensor) or value.shape != shape:
        return value
    if index is not None:
        return value[index]
    return torch.cat([value, value.new_zeros(more, *shape[1:])])

"""Adan, the optimizer of the GaussianImage paper: Adam with Nesterov momentum of differences."""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor

from gaussianimage.torch import operator

BETAS = (0.98, 0.92, 0.99)


class Adan(torch.optim.Optimizer):
    """Adaptive Nesterov momentum, without weight decay.

    Parameters
    ----------
    params : iterable of Tensor or of dict
        The parameters to optimize, as any `torch.optim.Optimizer` takes them.
    lr : float or Tensor, default 1e-3
        Step size, from 0; a parameter changes by about that much in every step. A tensor of no
        dimensions can be changed in place, also under a captured CUDA graph.
    betas : (float, float, float), default (0.98, 0.92, 0.99)
        Decay, from 0 to below 1, of the means of gradients, of their differences and of squares.
    eps : float, default 1e-8
        Added to the root of the mean square, from 0.

    Raises
    ------
    ValueError
        If a number is out of range.

    Notes
    -----
    With gₖ the gradient, dₖ = gₖ − gₖ₋₁ (d₁ = 0) and means that start from zero,

        mₖ = β₁ mₖ₋₁ + (1 − β₁) gₖ
        vₖ = β₂ vₖ₋₁ + (1 − β₂) dₖ
        nₖ = β₃ nₖ₋₁ + (1 − β₃) (gₖ + β₂ dₖ)²
        θₖ = θₖ₋₁ − lr (m̂ₖ + β₂ v̂ₖ) / (√n̂ₖ + ε)

    where a hat divides by 1 − βᵏ. These β are one minus those of the paper, and ε is outside of the
    root; both are so in its released code. The steps are counted in a tensor on the parameter's
    device, so that a step needs no number from the host and a CUDA graph can hold it.

    References
    ----------
    X. Xie, P. Zhou, H. Li, Z. Lin, S. Yan: Adan: adaptive Nesterov momentum algorithm for faster
    optimizing deep models. arXiv 2208.06677, algorithm 1.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float, float] = BETAS,
        eps: float = 1e-8,
    ) -> None:
        if float(lr) < 0:
            raise ValueError(f"lr: expected a number from 0, got {float(lr)}")
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas: expected three numbers from 0 to below 1, got {betas}")
        if eps < 0:
            raise ValueError(f"eps: expected a number from 0, got {eps}")
        super().__init__(params, {"lr": lr, "betas": tuple(betas), "eps": eps})

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Change every parameter that has a gradient.

        Parameters
        ----------
        closure : callable, optional
            Called first, with gradients enabled, to evaluate the loss and its gradients.

        Returns
        -------
        float or None
            What `closure` returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        plain: list[tuple[Tensor, dict[str, Any]]] = []
        for group in self.param_groups:
            changing = [parameter for parameter in group["params"] if parameter.grad is not None]
            fused = [parameter for parameter in changing if _has_kernel(parameter)]
            for parameter in changing:
                self._prepare(parameter)
            for device in dict.fromkeys(parameter.device for parameter in fused):
                self._launch([p for p in fused if p.device == device], group)
            plain += [(p, group) for p in changing if not _has_kernel(p)]
        if plain:
            # One launch on a GPU counts the steps of all parameters.
            torch._foreach_add_([self.state[parameter]["step"] for parameter, _ in plain], 1)
        for parameter, group in plain:
            self._change(parameter, group)
        return loss

    def _prepare(self, parameter: Tensor) -> None:
        state: dict[str, Tensor] = self.state[parameter]
        if not state:
            assert parameter.grad is not None
            state["step"] = torch.zeros((), dtype=torch.float64, device=parameter.device)
            for name in ("mean", "difference", "square"):
                state[name] = torch.zeros_like(parameter)
            state["previous"] = parameter.grad.clone()

    def _launch(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Change parameters of one GPU by one kernel, which does all that `_change` does."""
        from gaussianimage.torch.cuda.adan import AdanState, Moving, adan

        device = parameters[0].device
        # Not from `__init__`, which copies of an optimizer do not run.
        waiting: dict[torch.device, Tensor] = vars(self).setdefault("_waiting", {})
        if device not in waiting:
            waiting[device] = torch.zeros((), dtype=torch.int32, device=device)
        moving = []
        for parameter in parameters:
            assert parameter.grad is not None
            state = AdanState(**self.state[parameter])
            moving.append(Moving(parameter, parameter.grad, state))
        with torch.cuda.device_of(parameters[0]):  # type: ignore[no-untyped-call]
            adan(moving, waiting[device], group["lr"], group["betas"], group["eps"])

    def _change(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient = parameter.grad
        assert gradient is not None
        beta1, beta2, beta3 = group["betas"]
        state = self.state[parameter]
        change = gradient - state["previous"]
        state["previous"].copy_(gradient)
        state["mean"].lerp_(gradient, 1 - beta1)
        state["difference"].lerp_(change, 1 - beta2)
        ahead = gradient.add(change, alpha=beta2)
        state["square"].mul_(beta3).addcmul_(ahead, ahead, value=1 - beta3)

        # By PyTorch's rules, a tensor of no dimensions does not change the type of the parameter.
        scale1 = group["lr"] / (1 - beta1 ** state["step"])
        scale2 = group["lr"] * beta2 / (1 - beta2 ** state["step"])
        scale3 = (1 - beta3 ** state["step"]).rsqrt()
        update = state["mean"] * scale1
        update.add_(state["difference"] * scale2)
        parameter.sub_(update.div_((state["square"].sqrt() * scale3).add_(group["eps"])))


def _has_kernel(parameter: Tensor) -> bool:
    fitting = parameter.dtype == torch.float32 and parameter.is_contiguous()
    return fitting and operator.uses_kernels(parameter)

"""Residual vector quantization: each learned codebook codes the residual of the one before."""

from dataclasses import dataclass

import gaussianimage.torch  # noqa: F401  # isort: skip  (says how to get PyTorch)
import torch
from torch import Tensor, nn

from gaussianimage.codec.paper_profile import quantizers as stored
from gaussianimage.paper.uniform_quantizer import straight_through

# An entry is dead if its vectors are less than this part of an even share.
DEAD_SHARE = 0.01

_SMOOTHING = 1e-5


@dataclass(frozen=True)
class Coded:
    """Vectors coded by a residual quantizer."""

    values: Tensor  # (N, C); the gradient of the vectors counts S times
    indices: Tensor  # (N, S), int64
    commitment: Tensor  # (), mean squared distance to the entries, summed over the stages


class ResidualQuantizer(nn.Module):
    """S codebooks of K entries; a vector is coded as the sum of one entry of each codebook.

    Every stage codes the residual of the stage before. Entries have no gradient: they are moving
    averages of the residuals that they code (van den Oord et al., arXiv 1711.00937, appendix A.1),
    and start from a few iterations of k-means. The commitment, a term of the loss, pulls the
    vectors to the entries. As in the released code, every stage passes gradients straight through
    to the vectors, so the gradient of the coded values counts S times against the commitment.

    Parameters
    ----------
    values : Tensor, (N, C)
        The vectors to start from, N ≥ 1.
    stages, entries : int
        S, 1 to 8, and K, a power of two from 2 to 256.
    decay : float, default 0.8
        Decay of the moving averages, 0 to below 1.
    iterations : int, default 5
        Number of iterations of k-means.
    seed : int, default 1
        Seed of the random first entries of k-means.
    revive : bool, default True
        Whether dead entries are moved to the vectors with the largest errors; the released code
        leaves them where they are.

    Raises
    ------
    ValueError
        If a number is out of range or there are no vectors.
    """

    codebooks: Tensor  # (S, K, C)
    counts: Tensor  # (S, K), moving averages of the number of vectors of each entry
    sums: Tensor  # (S, K, C), moving averages of the sum of the vectors of each entry

    def __init__(
        self,
        values: Tensor,
        stages: int = 2,
        entries: int = 8,
        *,
        decay: float = 0.8,
        iterations: int = 5,
        seed: int = 1,
        revive: bool = True,
    ) -> None:
        super().__init__()
        stored.require("stages", stages, 1, stored.MAX_STAGES)
        if entries not in [2**bits for bits in range(1, stored.MAX_STAGE_BITS + 1)]:
            raise ValueError(f"entries: expected 2, 4, 8 … 256, got {entries}")
        if values.ndim != 2 or not len(values):
            raise ValueError(
                f"values: expected shape (N, C) with N from 1, got {tuple(values.shape)}"
            )
        if not 0 <= decay < 1:
            raise ValueError(f"decay: expected 0 to below 1, got {decay}")
        self.decay = decay
        self.revive = revive
        generator = torch.Generator().manual_seed(seed)
        residual = values.detach().clone()
        codebooks, counts, sums = [], [], []
        for _ in range(stages):
            codebook, nearest = k_means(residual, entries, iterations, generator)
            count, total = _gather(residual, nearest, entries)
            codebooks.append(codebook)
            counts.append(count)
            # The sum of an empty cluster starts at its entry with a negligible mass.
            sums.append(torch.where(count[:, None] > 0, total, codebook * _SMOOTHING))
            residual = residual - codebook[nearest]
        self.register_buffer("codebooks", torch.stack(codebooks))
        self.register_buffer("counts", torch.stack(counts))
        self.register_buffer("sums", torch.stack(sums))

    def forward(self, values: Tensor) -> Coded:
        """Code vectors, (N, C); only `adapt` changes the codebooks."""
        residual = values
        total = torch.zeros_like(values)
        indices, commitment = [], values.new_zeros(())
        for codebook in self.codebooks:
            nearest = _nearest(residual.detach(), codebook)
            chosen = codebook[nearest]
            commitment = commitment + (residual - chosen).square().mean()
            total = total + straight_through(residual, chosen)
            residual = residual - chosen
            indices.append(nearest)
        return Coded(total, torch.stack(indices, 1), commitment)

    @torch.no_grad()
    def adapt(self, values: Tensor, indices: Tensor) -> None:
        """Move the entries toward the vectors that they coded.

        Parameters
        ----------
        values : Tensor, (N, C)
        indices : Tensor, (N, S)
            The indices that `forward` returned for the same values.

        Notes
        -----
        A dead entry, with hardly any vectors, is moved to the vector with the largest error, the
        next dead entry to the vector with the next largest. No random numbers are used.
        """
        entries = self.codebooks.shape[1]
        residual = values.detach()
        for stage, nearest in enumerate(indices.unbind(1)):
            count, total = _gather(residual, nearest, entries)
            self.counts[stage].lerp_(count, 1 - self.decay)
            self.sums[stage].lerp_(total, 1 - self.decay)
            left = residual - self.codebooks[stage][nearest]
            mass = self.counts[stage].sum()
            smoothed = (self.counts[stage] + _SMOOTHING) / (mass + entries * _SMOOTHING) * mass
            self.codebooks[stage].copy_(self.sums[stage] / smoothed[:, None])
            if self.revive:
                self._revive(stage, residual, left)
            residual = left

    def stored(self) -> stored.VectorQuantizer:
        """Return the codebooks for a file."""
        return stored.VectorQuantizer(self.codebooks.float().cpu().numpy())

    def extra_repr(self) -> str:
        """Return the module's settings for its printed form."""
        stages, entries, channels = self.codebooks.shape
        return f"stages={stages}, entries={entries}, channels={channels}, decay={self.decay}"

    def _revive(self, stage: int, residual: Tensor, left: Tensor) -> None:
        """Move the dead entries of a stage to the vectors with the largest errors."""
        share = len(residual) / self.counts.shape[1]
        dead = self.counts[stage] < DEAD_SHARE * share
        errors, worst = left.square().sum(1).topk(min(len(residual), len(dead)))
        # The k-th dead entry moves to the k-th worst vector if its error is above 0. No branch
        # depends on the numbers, so the CPU does not wait for a GPU.
        rank = (dead.cumsum(0) - 1).clamp(0, len(worst) - 1)
        dead = dead & (errors[rank] > 0) & (dead.cumsum(0) <= len(worst))
        found = residual[worst[rank]]
        self.codebooks[stage].copy_(torch.where(dead[:, None], found, self.codebooks[stage]))
        self.counts[stage].copy_(torch.where(dead, share, self.counts[stage]))
        self.sums[stage].copy_(torch.where(dead[:, None], found * share, self.sums[stage]))


def k_means(
    values: Tensor, clusters: int, iterations: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Cluster vectors by Lloyd's algorithm.

    Parameters
    ----------
    values : Tensor, (N, C)
        The vectors, N ≥ 1; N may be less than K.
    clusters : int
        Number of clusters K.
    iterations : int
        Number of iterations, from 0.
    generator : torch.Generator
        Draws the first centers uniformly from the vectors. A start that prefers distant vectors
        gives entries to a few rare colors, and the codec loses up to 0.7 dB.

    Returns
    -------
    centers : Tensor, (K, C)
    nearest : Tensor, (N,), int64
        Index of the nearest center of each vector.
    """
    # If N is less than K, a vector starts several centers.
    drawn = torch.randperm(len(values), generator=generator)
    centers = values[drawn[torch.arange(clusters) % len(values)].to(values.device)]
    for _ in range(iterations):
        count, total = _gather(values, _nearest(values, centers), clusters)
        centers = torch.where(count[:, None] > 0, total / count.clamp_min(1)[:, None], centers)
    return centers, _nearest(values, centers)


def _nearest(values: Tensor, centers: Tensor) -> Tensor:
    """Return the index of the nearest center of each vector, (N,)."""
    # For C = 3, differences are as fast as a matrix product, and exact for close vectors.
    distances = values.new_zeros(len(values), len(centers))
    for channel in range(values.shape[1]):
        distances += (values[:, channel, None] - centers[None, :, channel]).square()
    return distances.argmin(1)


def _gather(values: Tensor, nearest: Tensor, clusters: int) -> tuple[Tensor, Tensor]:
    """Return number and sum of the vectors of each cluster, (K,) and (K, C)."""
    # A matrix product adds in a fixed order on a GPU; scattered additions do not.
    member = torch.nn.functional.one_hot(nearest, clusters).to(values.dtype)
    return member.sum(0), member.T @ values

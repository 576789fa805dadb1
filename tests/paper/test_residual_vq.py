"""Residual vector quantization: k-means, gradients, moving averages, entries that nobody uses."""

from typing import Any

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import Tensor

from gaussianimage.paper.residual_vq import ResidualQuantizer, k_means

CORNERS = torch.tensor([[0.0, 0, 0], [8, 0, 0], [0, 8, 0], [0, 0, 8]])


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def of_a_start_in_every_cluster(values: Tensor) -> int:
    """Return the first seed whose k-means starts once in each quarter of the values."""
    for seed in range(1000):
        first = torch.randperm(len(values), generator=generator(seed))[:4]
        if len((first * 4 // len(values)).unique()) == 4:
            return seed
    raise AssertionError("no such seed")


def test_k_means_finds_clusters_and_their_means() -> None:
    values = (CORNERS[:, None] + 0.3 * random(4, 50, 3)).reshape(-1, 3)
    centers, nearest = k_means(values, 4, 5, generator(of_a_start_in_every_cluster(values)))
    assert torch.equal(nearest.reshape(4, 50), nearest[::50, None].expand(4, 50))
    for corner in range(4):
        mean = values[50 * corner : 50 * corner + 50].mean(0)
        assert torch.allclose(centers[nearest[50 * corner]], mean, atol=1e-5)


def test_k_means_starts_from_vectors_that_differ_and_prefers_none() -> None:
    # All but one in a thousand are near zero: the odd one is seldom a start, though far away.
    values = torch.cat([0.01 * random(999, 3), torch.full((1, 3), 100.0)])
    starts = [k_means(values, 8, 0, generator(seed))[0] for seed in range(20)]
    for centers in starts:
        assert len(centers.unique(dim=0)) == 8
        assert all((values == center).all(1).any() for center in centers)
    assert sum(float(centers.max()) > 50 for centers in starts) <= 2


@pytest.mark.parametrize("count", [1, 3, 8])
def test_there_may_be_fewer_vectors_than_clusters(count: int) -> None:
    values = random(count, 3)
    centers, nearest = k_means(values, 8, 5, generator())
    assert torch.allclose(centers[nearest], values, atol=1e-6)
    quantizer = ResidualQuantizer(values)
    assert torch.allclose(quantizer(values).values, values, atol=1e-5)
    for _ in range(5):
        quantizer.adapt(values, quantizer(values).indices)
        assert quantizer.codebooks.isfinite().all()


def test_a_vector_is_the_sum_of_its_entries() -> None:
    values = random(300, 3)
    quantizer = ResidualQuantizer(values, 3, 4)
    coded = quantizer(values)
    assert coded.indices.shape == (300, 3)
    total = sum(quantizer.codebooks[s][coded.indices[:, s]] for s in range(3))
    assert torch.allclose(coded.values, total, atol=1e-6)  # type: ignore[arg-type]
    stored = quantizer.stored()
    assert stored.dequantize(coded.indices.numpy()) == pytest.approx(coded.values.numpy(), abs=1e-5)


def test_each_stage_takes_the_entry_nearest_to_what_is_left() -> None:
    values = random(200, 2)
    quantizer = ResidualQuantizer(values, 2, 8)
    residual = values
    for stage, indices in enumerate(quantizer(values).indices.unbind(1)):
        distances = torch.cdist(residual, quantizer.codebooks[stage])
        chosen = distances.gather(1, indices[:, None])[:, 0]
        assert torch.allclose(chosen, distances.amin(1), atol=1e-5)
        residual = residual - quantizer.codebooks[stage][indices]


def test_more_stages_and_more_entries_are_closer() -> None:
    values = random(500, 3)

    def error(stages: int, entries: int) -> float:
        return float((ResidualQuantizer(values, stages, entries)(values).values - values).norm())

    assert error(3, 8) < error(2, 8) < error(1, 8)
    assert error(2, 16) < error(2, 8) < error(2, 4)


def test_gradients_pass_and_the_commitment_draws_to_the_entries() -> None:
    values = random(40, 3).requires_grad_()
    quantizer = ResidualQuantizer(values, 2, 4)
    coded = quantizer(values)
    weights = random(40, 3, seed=5)
    (coded.values * weights).sum().backward(retain_graph=True)
    assert values.grad is not None
    # Once for each of the two stages.
    assert torch.allclose(values.grad, 2 * weights)
    values.grad = None
    coded.commitment.backward()
    first = values.detach() - quantizer.codebooks[0][coded.indices[:, 0]]
    second = first - quantizer.codebooks[1][coded.indices[:, 1]]
    assert float(coded.commitment.detach()) == pytest.approx(
        float(first.square().mean() + second.square().mean()), rel=1e-5
    )
    assert torch.allclose(values.grad, 2 * (first + second) / values.numel(), atol=1e-7)
    assert not list(quantizer.parameters())


def test_coding_alone_changes_no_codebook() -> None:
    values = random(100, 3)
    quantizer = ResidualQuantizer(values)
    before = quantizer.codebooks.clone()
    quantizer(values + 1)
    assert torch.equal(quantizer.codebooks, before)


def test_entries_are_moving_averages_of_what_they_code() -> None:
    values = (CORNERS[:, None] + 0.3 * random(4, 50, 3)).reshape(-1, 3)
    seed = of_a_start_in_every_cluster(values)
    quantizer = ResidualQuantizer(values, 1, 4, decay=0.8, seed=seed)
    start = quantizer.codebooks[0].clone()
    moved = values + torch.tensor([0.5, 0.0, -0.5])
    for step in range(1, 4):
        coded = quantizer(moved)
        quantizer.adapt(moved, coded.indices)
        expected = start + (1 - 0.8**step) * torch.tensor([0.5, 0.0, -0.5])
        assert torch.allclose(quantizer.codebooks[0], expected, atol=1e-4)


def test_an_entry_that_nobody_uses_goes_to_the_vector_coded_worst() -> None:
    values = (CORNERS[:3, None] + 0.1 * random(3, 100, 3)).reshape(-1, 3)
    outlier = torch.tensor([[20.0, 20.0, 20.0]])
    quantizer = ResidualQuantizer(values, 1, 4, decay=0.5)
    with torch.no_grad():
        quantizer.codebooks[0, 3] = -1000.0  # far from everything
        quantizer.counts[0, 3] = 0.0
        quantizer.sums[0, 3] = 0.0
        quantizer.codebooks[0, :3] = CORNERS[:3]
    everything = torch.cat([values, outlier])
    coded = quantizer(everything)
    assert (coded.indices != 3).all()
    quantizer.adapt(everything, coded.indices)
    assert torch.equal(quantizer.codebooks[0, 3], outlier[0])
    assert int(quantizer(everything).indices[-1, 0]) == 3


def test_entries_stay_finite_when_all_vectors_are_equal() -> None:
    values = torch.full((50, 3), 0.25)
    quantizer = ResidualQuantizer(values)
    for _ in range(20):
        quantizer.adapt(values, quantizer(values).indices)
    assert quantizer.codebooks.isfinite().all()
    assert torch.allclose(quantizer(values).values, values, atol=1e-4)


def test_the_same_seed_gives_the_same_codebooks() -> None:
    values = random(400, 3)
    first, same, other = (ResidualQuantizer(values, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.codebooks, same.codebooks)
    assert not torch.equal(first.codebooks, other.codebooks)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stages": 0}, "stages: expected 1 to 8, got 0"),
        ({"stages": 9}, "stages: expected 1 to 8, got 9"),
        ({"entries": 7}, "entries: expected 2, 4, 8 … 256, got 7"),
        ({"entries": 512}, "entries"),
        ({"decay": 1.0}, "decay: expected 0 to below 1"),
        ({"values": torch.zeros(0, 3)}, "values: expected shape"),
        ({"values": torch.zeros(3)}, "values: expected shape"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResidualQuantizer(**{"values": torch.zeros(5, 3), **options})

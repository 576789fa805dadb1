import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from gaussianimage.torch import SplattingModel
from gaussianimage.torch.models.splatting import DISTANCE, LOW_PASS


def doubles(values):
    return torch.tensor(values, dtype=torch.float64)


def placed(means, height=20, width=30, **parameters):
    """Return a model of Gaussians at given places, whose other parameters are changed as given."""
    means = doubles(means)
    count = len(means)
    rotations = doubles([[1.0, 0.0, 0.0, 0.0]]).repeat(count, 1)
    colors = torch.zeros(count, 3, dtype=torch.float64)
    model = SplattingModel(means, colors, rotations, height, width)
    with torch.no_grad():
        for name, values in parameters.items():
            parameter = getattr(model, name)
            parameter.copy_(torch.as_tensor(values, dtype=torch.float64).expand_as(parameter))
    return model


def covariance(cholesky):
    l11, l21, l22 = cholesky.detach().unbind(1)
    return torch.stack([l11**2, l11 * l21, l21**2 + l22**2], 1)


# The start --------------------------------------------------------------------------------------


def test_a_gaussian_has_fiftynine_numbers():
    model = SplattingModel.random(10, 20, 30)
    assert sum(parameter.numel() for parameter in model.parameters()) == 590


def test_a_start_depends_on_its_seed_alone():
    first, second = SplattingModel.random(10, 20, 30), SplattingModel.random(10, 20, 30)
    other = SplattingModel.random(10, 20, 30, seed=2)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.means, other.means)


def test_the_cube_is_seen_an_eighth_as_wide_as_the_picture():
    means = SplattingModel.random(2000, 512, 768).project().means.detach()
    assert (means.amin(0) >= torch.tensor([384 - 384 / 7, 256 - 384 / 7])).all()
    assert (means.amax(0) <= torch.tensor([384 + 384 / 7, 256 + 384 / 7])).all()


def test_gaussians_can_start_all_over_the_view():
    means = SplattingModel.random(2000, 20, 30, fill=True).project().means.detach()
    assert (means.amin(0) > -1e-3).all()
    assert (means.amax(0) < torch.tensor([30.001, 20.001])).all()
    counts = torch.histogramdd(means, [3, 2], range=[0, 30, 0, 20]).hist
    assert (counts > 250).all()


def test_scales_start_as_the_mean_distance_to_three_neighbors():
    model = SplattingModel.random(200, 20, 30)
    points = model.means.detach().double().numpy()
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    expected = np.sort(distances, axis=1)[:, 1:4].mean(axis=1)
    np.testing.assert_allclose(model.scales.exp().detach(), expected[:, None].repeat(3, 1), 1e-4)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_gaussians_can_start_too(count):
    model = SplattingModel.random(count, 20, 30, fill=True)
    assert model().isfinite().all()
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_rotations_start_as_unit_quaternions_and_opacities_at_a_tenth():
    model = SplattingModel.random(100, 20, 30)
    assert torch.allclose(model.rotations.norm(dim=1), torch.ones(100))
    assert torch.allclose(model.opacities.sigmoid(), torch.tensor(0.1))


# What the camera sees ---------------------------------------------------------------------------


def test_places_are_seen_in_perspective():
    # A field of view of 90°: at the depth z the picture's right edge is at x = z.
    means = [[0, 0, 0], [8, 0, 0], [-5, 2, -3], [0, -4, 4]]
    seen = placed(means).project()
    expected = [[15, 10], [30, 10], [0, 16], [15, 5]]
    np.testing.assert_allclose(seen.means.detach(), expected, atol=1e-12)
    assert seen.depths.tolist() == [8, 8, 5, 12]


def test_a_ball_before_the_camera_is_a_disk():
    seen = placed([[0, 0, 0]], scales=math.log(0.4)).project()
    expected = (0.4 * 15 / DISTANCE) ** 2 + LOW_PASS
    np.testing.assert_allclose(covariance(seen.cholesky), [[expected, 0, expected]], atol=1e-12)


def test_shapes_are_seen_as_the_derivative_of_the_perspective_has_them():
    scales, quaternion = doubles([0.3, 0.1, 0.6]), doubles([0.9, 0.3, -0.5, 0.2])
    model = placed([[2.0, -1.0, 1.0]], scales=scales.log(), rotations=quaternion * 3)
    w, *vector = (quaternion / quaternion.norm()).tolist()
    # Rodrigues' formula, from the axis and the angle that a quaternion stands for.
    cross = doubles(
        [
            [0, -vector[2], vector[1]],
            [vector[2], 0, -vector[0]],
            [-vector[1], vector[0], 0],
        ]
    )
    rotation = torch.eye(3).double() + 2 * w * cross + 2 * cross @ cross

    def perspective(point):
        return 15 * point[:2] / (point[2] + DISTANCE)

    jacobian = torch.autograd.functional.jacobian(perspective, model.means[0].detach())
    axes = jacobian @ rotation @ torch.diag(scales)
    expected = axes @ axes.T + LOW_PASS * torch.eye(2).double()
    found = covariance(model.project().cholesky)[0]
    np.testing.assert_allclose(found, [expected[0, 0], expected[0, 1], expected[1, 1]], rtol=1e-10)


def test_far_outside_of_the_view_shapes_do_not_smear():
    near_edge, far = placed([[10.4, 0, 0], [100, 0, 0]], scales=math.log(0.1)).project().cholesky
    assert torch.allclose(near_edge, far)


def test_colors_depend_on_the_direction_and_are_not_negative():
    model = placed([[0, 0, 0], [8, 0, 0], [-8, 0, 0]])
    with torch.no_grad():
        model.coefficients[:, 0, 0] = 0.3
        model.coefficients[:, 3, 1] = 1.0  # the harmonic along x
        model.coefficients[:, 0, 2] = -9
    colors = model.project().colors.detach()
    assert torch.allclose(colors[:, 0], torch.tensor(0.5 + 0.3 / math.sqrt(4 * math.pi)).double())
    slope = math.sqrt(3 / (4 * math.pi) / 2)
    assert colors[:, 1].tolist() == pytest.approx([0.5, 0.5 + slope, 0.5 - slope])
    assert not colors[:, 2].any()


def test_what_is_nearer_is_in_front():
    model = placed([[0, 0, 1], [0, 0, -1]], scales=1.0, opacities=20.0)
    with torch.no_grad():
        model.coefficients[:, 0] = torch.tensor([[-9.0, 5, -9], [5, -9, -9]])
    red, green, _ = model()[10, 15].tolist()
    assert red > 1
    assert green < 0.02


def test_what_is_behind_the_camera_is_not_drawn():
    model = placed([[0, 0, -9], [0, 0, -8], [0, 0, -7.995]], opacities=5.0)
    image = model()
    assert torch.equal(image, torch.ones_like(image))
    image.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_the_background_is_white():
    assert torch.equal(placed([[0, 0, 0]], opacities=-30.0)(), torch.ones(20, 30, 3).double())


def test_the_model_is_differentiable_in_all_parameters():
    model = SplattingModel.random(3, 7, 9, channels=2, fill=True).double()
    with torch.no_grad():
        model.opacities.zero_()
        model.coefficients[:, 1:] = torch.randn(
            3, 15, 2, generator=torch.Generator().manual_seed(0)
        )
    names = [name for name, _ in model.named_parameters()]

    def image(*values):
        return torch.func.functional_call(model, dict(zip(names, values, strict=True)))

    leaves = [p.detach().clone().requires_grad_() for p in model.parameters()]
    assert torch.autograd.gradcheck(image, leaves, eps=1e-7)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"count": 0}, ValueError, "count: expected at least 1"),
        ({"channels": 0}, ValueError, "channels: expected at least 1"),
        ({"height": 0}, ValueError, "height: expected"),
        ({"seed": 0.5}, TypeError, "seed: expected an integer"),
    ],
)
def test_a_start_out_of_range_is_refused(changes, error, message):
    arguments = {"count": 5, "height": 8, "width": 9} | changes
    with pytest.raises(error, match=message):
        SplattingModel.random(**arguments)


@pytest.mark.parametrize("name", ["means", "colors", "rotations"])
def test_tensors_of_a_wrong_shape_are_refused(name):
    shapes = {"means": (4, 3), "colors": (4, 3), "rotations": (4, 4)}
    arguments = {key: torch.zeros(shape) for key, shape in shapes.items()}
    arguments[name] = torch.zeros(4, 9, 2)
    with pytest.raises(ValueError, match=": expected shape"):
        SplattingModel(**arguments, height=8, width=9)
    arguments[name] = torch.zeros(shapes[name]).to_sparse()
    with pytest.raises(TypeError, match=f"{name}: expected a dense tensor"):
        SplattingModel(**arguments, height=8, width=9)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_lower_degrees_have_fewer_numbers(degree):
    model = SplattingModel.random(7, 12, 16, degree=degree)
    assert model.coefficients.shape == (7, (degree + 1) ** 2, 3)
    assert sum(p.numel() for p in model.parameters()) == 7 * (11 + 3 * (degree + 1) ** 2)
    model().sum().backward()
    assert model.coefficients.grad.isfinite().all()
    if degree == 0:
        assert torch.equal(model.project().colors, model.coefficients[:, 0].sigmoid())
    else:
        # The constant term alone is there at the start, and counts the same at every degree.
        whole = SplattingModel.random(7, 12, 16)
        assert torch.allclose(model(), whole(), atol=1e-6)


def test_a_degree_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="degree: expected 0 to 3"):
        SplattingModel.random(7, 12, 16, degree=4)

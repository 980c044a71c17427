"""Baselines that are rolled out: each is right where its kind of map is the truth."""

from itertools import product

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array
from trajstore.pipeline import EngineSettings, get_system, make_engine
from trajstore.pipeline.judge.forecasters.esn import RADII, Esn, spectral_radius
from trajstore.pipeline.judge.forecasters.examples import Examples, Pairs, Series
from trajstore.pipeline.judge.forecasters.registry import BASELINES, usual

STEP = 0.1


def examples(after, dimension=2, rows=500, parameters=None, seed=0, length=30):
    """Random states and what a map makes of them; and stretches of its own, where it has no parameters."""
    states = np.random.default_rng(seed).uniform(-1, 1, (rows, dimension))
    told = np.empty((rows, 0)) if parameters is None else parameters(rows)
    series = [states]
    for _ in range(length - 1):
        series.append(after(series[-1], told))
    return Examples(Pairs(states, series[1], told, STEP), Series(np.stack(series, axis=1)))


def fitted(name, after, **options):
    return BASELINES.find(name).fit(examples(after, **options), examples(after, seed=1, **options))


def turned(states, _):
    """The harmonic oscillator, one step on."""
    x, v = states.T
    return np.stack([x * np.cos(STEP) + v * np.sin(STEP), v * np.cos(STEP) - x * np.sin(STEP)], axis=1)


def logistic(states, _):
    return 1 - 1.5 * states**2


@pytest.mark.parametrize("name", ["rotation", "linear", "polynomial"])
def test_a_rotation_is_followed_for_ever_by_whatever_can_turn(name):
    history = np.array([[[9.0, 9.0], [1.0, 0.0]], [[9.0, 9.0], [0.0, 0.5]]])
    predicted = fitted(name, turned).go_on(history, 200, np.empty((2, 0)))
    times = STEP * np.arange(1, 201)
    np.testing.assert_allclose(predicted[0], np.stack([np.cos(times), -np.sin(times)], axis=1), atol=1e-9)
    np.testing.assert_allclose(
        predicted[1], 0.5 * np.stack([np.sin(times), np.cos(times)], axis=1), atol=1e-9
    )


@pytest.mark.parametrize("value", [0.0, 0.1, 1e5 + 0.1])
@pytest.mark.parametrize("name", ["linear", "polynomial"])
def test_beside_what_rests_a_circle_is_followed_for_ever(name, value):
    """The deviation of what rests is rounding, and no unit; and no power makes a better map than a line."""

    def of(seed):
        phase = np.random.default_rng(seed).uniform(0, 6, (6, 1)) + STEP * np.arange(400)
        states = np.stack([np.sin(phase), np.cos(phase), np.full(phase.shape, value)], axis=2)
        before, after = (part.reshape(-1, 3) for part in (states[:, :-1], states[:, 1:]))
        return Examples(Pairs(before, after, np.empty((len(before), 0)), STEP), Series(states))

    assert of(0).series.moments()[1][2] == 1.0
    truth = of(2).series.states
    predicted = BASELINES.find(name).fit(of(0), of(1)).go_on(truth[:, :100], 300, np.empty((6, 0)))
    np.testing.assert_allclose(predicted, truth[:, 100:], rtol=1e-10, atol=1e-7)


def test_a_polynomial_has_the_degree_of_the_truth_and_a_line_cannot_follow():
    polynomial, linear = (fitted(name, logistic, dimension=1) for name in ("polynomial", "linear"))
    assert polynomial.degree >= 2
    start = np.array([[[0.3]]])
    exact = [start[0, 0]]
    for _ in range(10):
        exact.append(logistic(exact[-1], None))
    np.testing.assert_allclose(polynomial.go_on(start, 10, np.empty((1, 0)))[0], exact[1:], atol=1e-6)
    assert np.abs(linear.go_on(start, 10, np.empty((1, 0)))[0] - exact[1:]).max() > 0.1


def test_a_polynomial_knows_the_parameters_that_vary():
    def growth(states, told):
        return states * (1 + STEP * told[:, :1])

    def parameters(rows):
        return np.stack([np.linspace(-1, 1, rows), np.full(rows, 7.0)], axis=1)

    polynomial = fitted("polynomial", growth, parameters=parameters)
    told = np.array([[-0.5, 7.0], [0.5, 7.0]])
    predicted = polynomial.go_on(np.full((2, 1, 2), 0.1), 5, told)
    np.testing.assert_allclose(predicted[:, -1, 0], 0.1 * (1 + STEP * told[:, 0]) ** 5, rtol=1e-9)


def test_what_leaves_all_bounds_is_not_finite_and_no_error():
    doubled = fitted("linear", lambda states, _: 2 * states)
    predicted = doubled.go_on(np.ones((1, 1, 2)), 100, np.empty((1, 0)))
    assert np.isfinite(predicted[0, :5]).all()
    assert np.isnan(predicted[0, -1]).all()


def test_a_rotation_is_for_the_plane_alone():
    assert fitted("rotation", lambda states, _: states, dimension=3) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", BASELINES.own)
def test_every_baseline_gives_as_many_states_as_are_asked_for(name):
    found = fitted(name, turned).go_on(np.ones((3, 4, 2)), 7, np.empty((3, 0)))
    assert found.shape == (3, 7, 2)
    assert found.dtype == np.float64


def test_the_mean_is_that_of_the_train_split():
    found = fitted("mean", turned)
    states = examples(turned).series.states
    np.testing.assert_array_equal(
        found.go_on(np.ones((2, 3, 2)), 4, np.empty((2, 0)))[1, 3], states.mean(axis=(0, 1))
    )


def test_the_analogue_follows_what_it_has_seen():
    stretch = examples(turned).series.states[7]
    found = fitted("analogue", turned).go_on(stretch[None, :5], 20, np.empty((1, 0)))
    np.testing.assert_array_equal(found[0], stretch[5:25])


@pytest.mark.slow
@pytest.mark.parametrize("seen", [slice(None), slice(0, 1)], ids=["whole", "in part"])
def test_nvar_has_the_degree_of_the_truth_and_is_exact(seen):
    # Holmes' cubic map (1979), chaotic here: x'' = -0.2 x + 2.75 x' - x'^3, so that x alone is enough.
    def of(seed):
        values = list(np.random.default_rng(seed).uniform(-0.1, 0.1, (2, 60)))
        for _ in range(40):
            values.append(-0.2 * values[-2] + 2.75 * values[-1] - values[-1] ** 3)
        states = np.stack([values[20:-1], values[21:]], axis=-1).swapaxes(0, 1)[:, :, seen]
        none = np.empty((0, states.shape[2]))
        return Examples(Pairs(none, none, np.empty((0, 0)), STEP), Series(states))

    found = BASELINES.find("nvar").fit(of(0), of(1))
    assert found.degree >= 3
    truth = of(2).series.states
    predicted = found.go_on(truth[:, :10], 5, np.empty((60, 0)))
    np.testing.assert_allclose(predicted, truth[:, 10:15], atol=1e-8)


def test_nvar_of_many_components_is_linear_and_of_few_points_still_there():
    states = np.random.default_rng(0).standard_normal((3, 9, 400))
    examples = Examples(Pairs(states[:, 0], states[:, 1], np.empty((3, 0)), STEP), Series(states))
    found = BASELINES.find("nvar").fit(examples, examples)
    assert (len(found.delays), found.degree) == (2, 1)
    assert np.isfinite(found.go_on(states, 4, np.empty((3, 0)))).all()


def radius_of(matrix):
    """The spectral radius, as the limit of |A^n|^(1/n) for n = 2^40."""
    logarithm = 0.0
    for doubling in range(40):
        size = np.linalg.norm(matrix)
        logarithm += np.log(size) / 2**doubling
        matrix = np.linalg.matrix_power(matrix / size, 2)
    return np.exp(logarithm)


def test_the_recurrence_has_the_spectral_radius_that_it_says():
    """The largest modulus is that of one number or of a pair, and many others lie close by."""
    states = np.random.default_rng(0).standard_normal((2, 9, 2))
    weights = next(Esn.candidates(states, np.zeros(2), np.ones(2))).recurrence.weights
    assert radius_of(weights.toarray()) == pytest.approx(RADII[0], rel=1e-9)
    for size, seed in product((5, 40, 90), range(8)):
        drawn = random_array((size, size), density=min(1, 6 / size), rng=np.random.default_rng(seed))
        drawn.data -= 0.5
        assert spectral_radius(csr_array(drawn)) == pytest.approx(radius_of(drawn.toarray()), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nvar", "esn"])
def test_memory_finds_what_one_component_hides(name):
    # The position alone: two of them, one after the other, have the velocity.
    def seen(rows, seed):
        phases, sizes = np.random.default_rng(seed).uniform(0.5, 1, (2, rows, 1))
        states = (sizes * np.cos(2 * STEP * np.arange(200) + 6 * phases))[:, :, None]
        flat = states.reshape(-1, 1)
        return Examples(Pairs(flat[:-1], flat[1:], np.empty((len(flat) - 1, 0)), STEP), Series(states))

    train, test = seen(20, 0), seen(5, 1)
    found = BASELINES.find(name).fit(train, train)
    truth = test.series.states
    predicted = found.go_on(truth[:, :150], 50, np.empty((5, 0)))
    assert np.abs(predicted - truth[:, 150:]).max() < (1e-6 if name == "nvar" else 0.05)
    linear = BASELINES.find("linear").fit(train, train).go_on(truth[:, :150], 50, np.empty((5, 0)))
    assert np.abs(linear - truth[:, 150:]).max() > 0.3


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "best"), [(0.0, "polynomial"), (0.05, "nvar")])
def test_the_strongest_baseline_of_lorenz_is_as_others_measured_it(noise, best):
    # 20 Lyapunov times by a polynomial of degree 7, 6 by NVAR of degree 2 (Gauthier et al. 2021), 2 with 5 % noise.
    system, dt = get_system("lorenz"), 0.02
    starts = np.random.default_rng(0).uniform(-10, 10, (12, 3)) + np.array([0, 0, 25])
    solved = make_engine(system, EngineSettings()).solve(
        starts, np.tile(system.defaults, (12, 1)), dt * np.arange(3000)
    )
    states, deviation = solved.states[:, 500:], solved.states[:, 500:].std(axis=(0, 1))
    noisy = states + noise * deviation * np.random.default_rng(1).standard_normal(states.shape)

    def of(rows):
        before, after = rows[:, :-1].reshape(-1, 3), rows[:, 1:].reshape(-1, 3)
        return Examples(Pairs(before, after, np.empty((len(before), 0)), dt), Series(rows))

    valid = {}
    for name in ("linear", "polynomial", "nvar"):
        found = BASELINES.find(name).fit(of(noisy[:1]), of(noisy[1:2]))
        predicted = found.go_on(noisy[2:, :101], 1400, np.empty((10, 0)))
        error = np.sqrt(np.square((predicted - states[2:, 101:1501]) / deviation).mean(axis=2))
        valid[name] = np.median((~(error < 0.5)).argmax(axis=1)) * dt * 0.906
    assert max(valid, key=valid.get) == best
    assert valid[best] > (15 if noise == 0 else 1.5)
    assert valid["nvar"] > (10 if noise == 0 else 1.7)
    assert valid["linear"] < 0.5


def test_what_is_usual_is_honest_for_the_data():
    assert "polynomial" in usual(noisy=False, partial=False)
    assert "nvar" in usual(noisy=True, partial=False)
    assert "esn" in usual(noisy=False, partial=True)
    assert set(usual(noisy=True, partial=True)) <= set(BASELINES.own)

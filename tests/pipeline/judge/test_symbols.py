"""Symbols of a free run, what they are of, and their figure; and the choice of weights by runs taken together."""

import dataclasses

import numpy as np
import pytest
import torch
from trajstore.data import get_task
from trajstore.models import make_model
from trajstore.pipeline import check_config, evaluate, generate, plot, read_curve, train
from trajstore.pipeline.draw.run_figures.plot import load_results
from trajstore.pipeline.draw.run_figures.regions import draw_regions
from trajstore.pipeline.judge import symbols as module
from trajstore.pipeline.judge.forecasters.trained import Trained
from trajstore.pipeline.judge.free_runs import FreeRuns
from trajstore.pipeline.judge.metrics.d_stsp import BINS, MARGIN, SMOOTHING, d_stsp
from trajstore.pipeline.judge.rollouts import Group

SECTIONS = {
    "system": {"name": "lorenz"},
    "initial_states": {"kind": "attractor", "transient": 5.0},
    "grid": {"duration": 10.0, "step": 0.05},
    "dataset": {"train": 1, "validation": 1, "test": 1, "dtype": "float64"},
    "task": {"name": "forecast", "window": 21, "normalize": True},
    "model": {"name": "alrnn", "units": 6, "relus": 2},
    "training": {"steps": 6, "batch": 8, "evaluate_every": 3, "select": "d_stsp", "select_points": 90},
    "evaluation": {
        "rollouts": 2,
        "rollout_lengths": 2,
        "metrics": ["d_stsp"],
        "statistics_points": 100,
        "baselines": [],
    },
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One long row per split, trained, judged and its symbols kept."""
    folder = tmp_path_factory.mktemp("symbols")
    config = check_config(SECTIONS, "test")
    generate(config, folder / "dataset", jobs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "POINTS", 50)
        train(config, folder / "dataset", folder / "run")
        evaluate(folder / "run")
    return folder / "run"


@pytest.mark.slow
def test_a_judged_run_keeps_them(run):
    results = load_results(run)
    assert results["symbol_states"].shape == (50, 3)
    assert set(results["symbols"]) <= {0, 1, 2, 3}


@torch.no_grad()
def test_each_symbol_is_the_sign_pattern_of_the_state_that_goes_on(monkeypatch):
    """By the paper's formula in NumPy, from a history of three points on, the first five after it dropped."""
    monkeypatch.setattr(module, "POINTS", 40)
    torch.manual_seed(5)
    model = make_model("alrnn", 3, 3, units=6, relus=2).double()
    # Two units turn, the last two follow them, and what the ReLUs leave of these is told by the third one.
    cosine, sine = np.cos(0.7), np.sin(0.7)
    model.A.zero_()
    model.W.zero_()
    model.W[:2, :2] = torch.tensor([[cosine, -sine], [sine, cosine]])
    model.W[4, 0] = model.W[5, 1] = 1.0
    model.W[2, 4:] = 0.5
    w = {name: value.numpy() for name, value in model.state_dict().items()}
    history = np.random.default_rng(0).normal(size=(1, 3, 3))
    z, states, symbols = None, [], []
    for number in range(2 + 5 + 40):
        if z is None:
            z = np.concatenate([history[0, 0], w["first.weight"] @ history[0, 0]])
        elif number < 3:
            z[:3] = history[0, number]
        z = w["A"] * z + w["W"] @ np.concatenate([z[:4], np.maximum(z[4:], 0)]) + w["h"]
        states.append(z[:3])
        symbols.append(int(z[4] > 0) + 2 * int(z[5] > 0))
    group = Group(np.arange(1), np.arange(1), 2, history, history, np.empty((1, 0)))
    found = module.symbol_run(Trained(model, get_task("forecast"), 21), group, 5)
    assert found["symbols"].tolist() == symbols[7:]
    assert set(symbols[7:]) == {0, 1, 2, 3}, "or the test would say little"
    np.testing.assert_allclose(found["symbol_states"], states[7:], rtol=1e-6)


@pytest.mark.slow
def test_the_figure_is_drawn_and_left_out_where_there_are_no_symbols(run, tmp_path):
    assert run / "figures/regions.png" in plot(run)
    results = load_results(run)
    # A cycle through seven regions and more, of which the ones least visited are told together.
    results["symbols"] = np.repeat(np.arange(10), 5)
    figure = draw_regions(results)
    assert figure is not None
    labels = [line.get_label() for line in figure.axes[0].lines]
    assert len(labels) == 7
    assert labels[-1] == "others"
    del results["symbols"]
    assert draw_regions(results) is None


@pytest.mark.slow
def test_no_share_hides_another(run):
    """Of a run that leaves each region for two or three others."""
    ways = {
        0: (81, 1, 5),
        1: (70, 3, 0),
        2: (34, 1, 6),
        3: (98, 4, 1),
        4: (99, 2, 0),
        5: (86, 6, 0),
        6: (70, 0, 2),
    }
    generator, symbols = np.random.default_rng(3), [0]
    for _ in range(5_000):
        share, often, seldom = ways[symbols[-1]]
        symbols.append(often if generator.uniform(0, 100) < share else seldom)
    states = generator.normal(size=(len(symbols), 3))
    figure = draw_regions({**load_results(run), "symbols": np.array(symbols), "symbol_states": states})
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[1].texts if text.get_text()[-1:] == "%"]
    assert len(boxes) >= 7 + 9
    for number, box in enumerate(boxes):
        assert not any(box.shrunk(0.9, 0.9).overlaps(other.shrunk(0.9, 0.9)) for other in boxes[:number])


def test_networks_without_regions_have_no_symbols():
    trained = Trained(make_model("lstm", 3, 3), get_task("forecast"), 21)
    assert module.symbol_run(trained, None, 0) == {}


def test_weights_are_chosen_by_runs_taken_together():
    """Against NumPy's own histogram of all points; runs of other parameters stay apart."""
    generator = np.random.default_rng(0)
    true, predicted = generator.normal(size=(4, 200, 2)), generator.normal(size=(4, 200, 2))

    @dataclasses.dataclass(frozen=True)
    class Known(FreeRuns):
        true: np.ndarray = dataclasses.field(default_factory=lambda: true)
        parameters: np.ndarray = dataclasses.field(default_factory=lambda: np.ones((4, 1)))

    batch = Known([], 0, 200).together(predicted)
    assert batch.true.shape == batch.predicted.shape == (1, 800, 2)
    p, q = true.reshape(-1, 2), predicted.reshape(-1, 2)
    margin = MARGIN * p.std(0)
    edges = [np.linspace(*ends, BINS + 1) for ends in zip(p.min(0) - margin, p.max(0) + margin, strict=True)]
    counts = [np.histogramdd(points, edges)[0] + SMOOTHING for points in (p, q)]
    shares = [count / count.sum() for count in counts]
    expected = (shares[0] * np.log(shares[0] / shares[1])).sum()
    assert d_stsp(batch.true[0], batch.predicted[0]) == pytest.approx(expected, rel=1e-9)
    varied = Known([], 0, 200, true, np.arange(4.0)[:, None]).together(predicted)
    assert varied.true.shape == (4, 200, 2)


@pytest.mark.slow
def test_one_long_row_a_split_is_enough_to_choose_by(run):
    chosen = [row["selected"] for row in read_curve(run) if "selected" in row]
    assert len(chosen) == 2
    assert all(value is not None and value > 0 for value in chosen)

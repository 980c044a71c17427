"""Where rollouts begin, and from which history."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.integrate import solve_ivp
from trajstore.data import TrajectoryDataset, TrajstoreError
from trajstore.pipeline import evaluate, evaluate_predictions, generate, read_curve, train
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.config.file import check_learning
from trajstore.pipeline.config.learning import EvaluationSection
from trajstore.pipeline.judge.baselines import fit_baselines
from trajstore.pipeline.judge.metrics.d_h import d_h
from trajstore.pipeline.judge.metrics.d_stsp import d_stsp
from trajstore.pipeline.judge.rollouts import RolloutPlan
from trajstore.pipeline.judge.truth import Truth

FAST = {"model": {"hidden": 4}, "training": {"steps": 4, "batch": 8, "evaluate_every": 2}}


@pytest.fixture(scope="module")
def long_row(experiment, tmp_path_factory):
    """One row of 1001 points in each split."""
    folder = tmp_path_factory.mktemp("long") / "dataset"
    sizes = {"train": 1, "validation": 1, "test": 1, "dtype": "float64"}
    generate(experiment(grid={"duration": 100.0, "points": 1001}, dataset=sizes), folder, jobs=1)
    return folder


def test_starts_spread_along_a_long_row_and_histories_are_its_own(long_row):
    test = TrajectoryDataset(long_row, "test", "forecast", window=21)
    truth = Truth.of(test)
    plan = RolloutPlan.of(test, EvaluationSection(rollouts=10, rollout_lengths=3), truth is not None)
    assert plan.warmup == 100, "a tenth of the row"
    assert len(plan.rows) == 10
    assert plan.begins.min() == 100
    assert plan.begins.max() == 1000
    stored = test.states(slice(None)).double().numpy()
    row = np.concatenate([stored[0], stored[20::20, 1:].reshape(-1, 2)])[:1001]
    (group,) = plan.groups(test, truth)
    assert group.history.shape == (10, 101, 2)
    assert group.true.shape == (10, 61, 2)
    np.testing.assert_array_equal(group.true[:, 0], group.history[:, -1])
    for begin, history, true in zip(group.begins, group.history, group.true, strict=True):
        np.testing.assert_allclose(history, row[begin - 100 : begin + 1], atol=1e-6)
        within = min(61, 1001 - begin)
        np.testing.assert_allclose(true[:within], row[begin : begin + within], atol=1e-6)


def test_measured_rows_are_their_own_truth_and_end_where_they_end(make_shard, write_dataset, tmp_path):
    shards = {split: [make_shard(3, 200, split=split)] for split in ("train", "validation", "test")}
    folder = write_dataset(tmp_path / "measured", shards)
    test = TrajectoryDataset(folder, "test", "forecast", window=11)
    plan = RolloutPlan.of(test, EvaluationSection(rollouts=12, warmup=5), False)
    assert plan.steps == 97, "half of what is left"
    groups = list(plan.groups(test, None))
    assert sum(len(group.rows) for group in groups) == 12
    assert max(group.begins.max() for group in groups) + plan.steps == 199
    stored = test.store.gather(np.arange(3), None, type(test.windows)(200, 200))
    for group in groups:
        for row, begin, history, true in zip(
            group.rows, group.begins, group.history, group.true, strict=True
        ):
            np.testing.assert_array_equal(history, stored[row, begin - 5 : begin + 1])
            np.testing.assert_array_equal(true, stored[row, begin : begin + 98])


@pytest.mark.slow
def test_what_starts_cold_does_so_if_it_is_asked(experiment, long_row, tmp_path):
    for warmup, said in ((None, 100), (0, 0), (7, 7)):
        sections = {
            "evaluation": {
                "rollouts": 4,
                "rollout_lengths": 2,
                **({} if warmup is None else {"warmup": warmup}),
            }
        }
        config = experiment(task={"name": "forecast", "window": 21}, **FAST, **sections)
        train(config, long_row, tmp_path / "run", overwrite=True)
        rollout = evaluate(tmp_path / "run")["rollout"]
        assert rollout["warmup"] == said
        assert rollout["trajectories"] == 4
        assert set(rollout["baselines"]) == {
            "persistence",
            "zero",
            "rotation",
            "mean",
            "linear",
            "polynomial",
        }
        assert rollout["baselines"]["polynomial"]["vpt"] > rollout["baselines"]["persistence"]["vpt"]


# Of true runs, of which one oracle takes statistics.
PAIRS = 6
STATISTICS = ["d_stsp", "d_h", "spectrum_db", "lyapunov"]


@pytest.fixture(scope="module")
def attractor(experiment, tmp_path_factory):
    """Lorenz's, and a network that knows little of it, judged by everything."""
    folder = tmp_path_factory.mktemp("attractor")
    config = experiment(
        system={"name": "lorenz", "parameters": {}},
        grid={"duration": 10.0, "step": 0.05},
        dataset={"train": 12, "validation": 3, "test": 6, "dtype": "float64"},
        task={"name": "forecast", "window": 41, "stride": 20},
        **FAST,
        evaluation={
            "rollouts": 5,
            "rollout_lengths": 2,
            "metrics": STATISTICS,
            "baselines": ["mean", "polynomial", "nvar"],
            "statistics_points": 3000,
        },
    )
    generate(config, folder / "data", jobs=1)
    train(config, folder / "data", folder / "run")
    return folder, evaluate(folder / "run")


@pytest.mark.slow
def test_every_number_has_its_floor(attractor):
    rollout = attractor[1]["rollout"]
    assert list(rollout["baselines"]) == ["mean", "polynomial", "nvar"]
    numbers = {
        "mse", "nrmse", "vpt", "vpt_04", "vpt_smape30", "vpt_lyapunov", "smape", "smape_100",
        "d_stsp", "d_h", "spectrum_db", "lyapunov",
    }  # fmt: skip
    for judged in (rollout["baselines"]["polynomial"], rollout["floors"]):
        assert numbers <= judged.keys()
    # It may never come where the truth goes.
    assert numbers - {"d_stsp"} <= rollout.keys()
    assert rollout["statistics"] == {"points": 3000, "dropped": 1000, "runs": 4}
    floors, polynomial = rollout["floors"], rollout["baselines"]["polynomial"]
    assert polynomial["vpt_lyapunov"] > 2
    assert polynomial["vpt_lyapunov"] == pytest.approx(polynomial["vpt"] * 0.9056, rel=1e-2)
    for name in ("d_stsp", "d_h", "spectrum_db"):
        # As near to the truth as the truth is to itself; the mean is not.
        assert polynomial[name] < 3 * floors[name] < rollout["baselines"]["mean"][name]
    assert polynomial["lyapunov"] == pytest.approx(floors["lyapunov"], abs=0.1)
    assert floors["lyapunov"] == pytest.approx(0.9056, abs=0.1)
    assert "lyapunov" not in rollout["baselines"]["mean"], "it does not move"
    assert "NaN" not in (attractor[0] / "run" / "metrics.json").read_text()


@pytest.mark.slow
def test_free_runs_are_made_where_they_are_asked_for_alone(attractor, tmp_path):
    folder, _ = attractor
    for select in (None, "d_h"):
        selection = {} if select is None else {"select": select, "select_points": 500}
        sections = {
            "task": {"name": "forecast", "window": 41, "stride": 20},
            "model": {"hidden": 4},
            "training": {"batch": 16, "steps": 4, "evaluate_every": 2, **selection},
            "evaluation": {"rollouts": 3, "rollout_lengths": 1},
        }
        config = check_learning(sections, "test")
        train(config, folder / "data", tmp_path / "run", overwrite=True)
        rollout = evaluate(tmp_path / "run")["rollout"]
        assert "statistics" not in rollout
        assert not set(STATISTICS) & rollout.keys()
        curve = list(read_curve(tmp_path / "run"))
        selected = [line["selected"] for line in curve if "selected" in line]
        assert bool(selected) == (select is not None)
        assert all(0 < value <= 1 for value in selected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"metrics": ["d_stps"]}, r"Did you mean d_stsp"),
        ({"baselines": ["polinomial"]}, r"Did you mean polynomial"),
    ],
)
def test_names_that_are_none_are_refused_before_a_training(section, said, attractor, experiment, tmp_path):
    config = experiment(**FAST, evaluation=section)
    with pytest.raises(TrajstoreError, match=said):
        train(config, attractor[0] / "data", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_energy_has_its_own_floor(experiment, tmp_path):
    config = experiment(
        system={"name": "henon-heiles", "parameters": {}},
        grid={"duration": 4.0, "step": 0.2},
        **FAST,
        evaluation={"rollouts": 4, "rollout_lengths": 2},
    )
    generate(config, tmp_path / "data", jobs=1)
    train(config, tmp_path / "data", tmp_path / "run")
    rollout = evaluate(tmp_path / "run")["rollout"]
    assert rollout["floors"]["energy_mse"] < 1e-24
    assert rollout["energy_mse"] > rollout["baselines"]["polynomial"]["energy_mse"] > 1e-20


@pytest.mark.slow
def test_what_is_judged_may_be_named_afterwards(attractor, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(attractor[0] / "run", run)
    arguments = ["evaluate", str(run), "--data", str(attractor[0] / "data"), "--json"]
    sets = ['evaluation.metrics=["d_h"]', "evaluation.statistics_points=400", 'evaluation.baselines=["mean"]']
    done = CliRunner().invoke(main, [*arguments, *(part for each in sets for part in ("--set", each))])
    assert done.exit_code == 0, done.output
    rollout = json.loads(done.stdout)["rollout"]
    assert rollout["statistics"]["points"] == 400
    assert list(rollout["baselines"]) == ["mean"]
    assert "d_h" in rollout
    assert "d_stsp" not in rollout
    for wrong in ("training.steps=3", "evaluation.metric=[]", 'evaluation.metrics=["d_stps"]'):
        done = CliRunner().invoke(main, [*arguments, "--set", wrong])
        assert done.exit_code == 2, done.output


@pytest.mark.slow
def test_free_runs_of_supplied_predictions_are_these(attractor, tmp_path):
    states = TrajectoryDataset(attractor[0] / "data", "test", dtype="float64").states(slice(None)).numpy()
    found = evaluate_predictions(
        states, attractor[0] / "data", tmp_path, overrides=['evaluation.metrics=["d_h", "lyapunov"]']
    )
    assert found["rollout"]["statistics"]["points"] == 151
    # True ones, each beside itself as well.
    assert found["rollout"]["d_h"] < found["rollout"]["floors"]["d_h"]
    assert "lyapunov" not in found["rollout"]


def test_measured_rows_have_rollouts_where_no_window_is_given(make_shard, write_dataset, tmp_path):
    shards = {split: [make_shard(3, 200, split=split)] for split in ("train", "validation", "test")}
    folder = write_dataset(tmp_path / "measured", shards)
    test = TrajectoryDataset(folder, "test", "forecast")
    plan = RolloutPlan.of(test, EvaluationSection(rollouts=12), False)
    assert plan.warmup == 20
    assert plan.steps == 89, "half of what is left"
    assert len(plan.rows) == 12


def test_one_row_has_as_many_starts_as_are_asked_for(long_row):
    test = TrajectoryDataset(long_row, "test", "forecast")
    plan = RolloutPlan.of(test, EvaluationSection(rollouts=8, rollout_lengths=1), True)
    assert len(np.unique(plan.begins)) == 8


@pytest.mark.slow
def test_without_a_validation_split_baselines_choose_on_what_is_held_out(experiment, tmp_path):
    config = experiment(
        system={"name": "lorenz", "parameters": {}},
        grid={"duration": 20.0, "points": 401, "step": None},
        dataset={"train": 2, "validation": 0, "test": 2, "dtype": "float64"},
        observation={"noise": {"relative": 0.05}},
    )
    generate(config, tmp_path, jobs=1)
    train_split = TrajectoryDataset(tmp_path, "train", "forecast")
    found = fit_baselines(train_split, Truth.of(train_split), ["polynomial", "nvar"])
    assert found["polynomial"].degree < 6, "the highest fits the noise"
    history = train_split.store.gather(np.arange(2), None, type(train_split.windows)(401, 401))[:, :100]
    assert np.isfinite(found["nvar"].go_on(history, 300, np.empty((2, 0)))).all()


@pytest.mark.slow
def test_rows_of_other_parameters_are_not_compared_with_each_other(experiment, tmp_path):
    config = experiment(
        system={"name": "lorenz", "parameters": {"rho": {"values": [28.0, 60.0]}}},
        grid={"duration": 10.0, "step": 0.05},
        dataset={"train": 8, "validation": 2, "test": 4, "dtype": "float64"},
        task={"name": "forecast", "window": 41, "parameters": ["rho"]},
        **FAST,
        evaluation={
            "rollouts": 4,
            "rollout_lengths": 1,
            "metrics": ["d_stsp", "d_h", "lyapunov"],
            "baselines": ["polynomial"],
            "statistics_points": 1000,
        },
    )
    generate(config, tmp_path / "data", jobs=1)
    train(config, tmp_path / "data", tmp_path / "run")
    rollout = evaluate(tmp_path / "run")["rollout"]
    # Attractors of rho = 28 and 60 are some 10 apart, whatever the map.
    assert rollout["baselines"]["polynomial"]["d_stsp"] < 6
    # The floor is that of each row's own attractor, integrated here by another hand.
    test = TrajectoryDataset(tmp_path / "data", "test", dtype="float64")
    starts, rho = test.states(slice(None)).numpy()[:, 20], test.store.column("rho")
    points, dropped = (rollout["statistics"][name] for name in ("points", "dropped"))
    runs = [
        solve_ivp(
            lambda _, s, rho=value: [
                10 * (s[1] - s[0]),
                s[0] * (rho - s[2]) - s[1],
                s[0] * s[1] - 8 / 3 * s[2],
            ],
            (0, 0.05 * (dropped + 2 * PAIRS * points)),
            start,
            "DOP853",
            t_eval=0.05 * (dropped + np.arange(2 * PAIRS * points)),
            rtol=1e-6,
            atol=1e-6,
        ).y.T.reshape(PAIRS, 2, points, 3)
        for start, value in zip(starts, rho, strict=True)
    ]
    other = next(run for run, value in zip(runs, rho, strict=True) if value != rho[0])
    for name, statistic in {"d_stsp": d_stsp, "d_h": d_h}.items():
        found = np.array([[statistic(*pair) for pair in run] for run in runs])
        # The floor is the mean of one pair a row. Chaos has parted these from ours long since, so that statistics are
        # alike and no more, and those of 1000 points differ from pair to pair.
        allowed = 4 * np.sqrt(found.var(axis=1, ddof=1).sum()) / len(runs)
        assert abs(rollout["floors"][name] - found.mean()) < allowed
        assert found.mean() + allowed < 0.7 * statistic(runs[0][0, 0], other[0, 0]), "another row's attractor"
    # The mean over rows of the equations' own.
    assert 0.9 < rollout["floors"]["lyapunov"] < 1.6

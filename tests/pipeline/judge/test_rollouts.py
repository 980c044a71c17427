"""Where rollouts begin, and from which history."""

import numpy as np
import pytest
from trajstore.data import TrajectoryDataset
from trajstore.pipeline import evaluate, generate, train
from trajstore.pipeline.config.learning import EvaluationSection
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
    for group in plan.groups(test, truth):
        assert group.history.shape == (1, 101, 2)
        np.testing.assert_allclose(group.history[0], row[group.begin - 100 : group.begin + 1], atol=1e-6)
        assert group.true.shape == (1, 61, 2)
        np.testing.assert_array_equal(group.true[:, 0], group.history[:, -1])


def test_measured_rows_are_their_own_truth_and_end_where_they_end(make_shard, write_dataset, tmp_path):
    shards = {split: [make_shard(3, 200, split=split)] for split in ("train", "validation", "test")}
    folder = write_dataset(tmp_path / "measured", shards)
    test = TrajectoryDataset(folder, "test", "forecast", window=11)
    plan = RolloutPlan.of(test, EvaluationSection(rollouts=12, warmup=5), False)
    assert plan.steps == 97, "half of what is left"
    groups = list(plan.groups(test, None))
    assert sum(len(group.rows) for group in groups) == 12
    assert max(group.begin for group in groups) + plan.steps == 199
    stored = test.store.gather(np.arange(3), None, type(test.windows)(200, 200))
    for group in groups:
        for row, history, true in zip(group.rows, group.history, group.true, strict=True):
            np.testing.assert_array_equal(history, stored[row, group.begin - 5 : group.begin + 1])
            np.testing.assert_array_equal(true, stored[row, group.begin : group.begin + 98])


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
        assert set(rollout["baselines"]) == {"persistence", "zero", "rotation", "linear", "polynomial"}
        assert rollout["baselines"]["polynomial"]["vpt"] > rollout["baselines"]["persistence"]["vpt"]

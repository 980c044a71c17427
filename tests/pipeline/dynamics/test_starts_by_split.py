"""Splits whose rows begin otherwise than those of others: [initial_states_by_split.test]."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import TrajectoryDataset, TrajstoreError, examine, load_manifest, read_shard
from trajstore.data.integrity.shared_rows import can_share
from trajstore.pipeline import check_config, generate, merge, reintegrate
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.describe.description import Description
from trajstore.pipeline.draw.dataset_sample import sample_dataset
from trajstore.pipeline.draw.initial_states import draw_initial_states
from trajstore.pipeline.judge.truth import Truth

SPLITS = ("train", "validation", "test")
CLOUD = {"kind": "normal", "mean": {"x1": 1.0, "x2": 0.0}, "std": {"x1": 0.1, "x2": 0.1}}
AROUND = {"kind": "attractor", "transient": 3.0}


def starts(folder: Path, split: str) -> np.ndarray:
    paths = sorted(folder.glob(f"{split}-*.h5"))
    return np.concatenate([read_shard(path).initial_state for path in paths])


@pytest.mark.slow
@pytest.mark.parametrize(("shared", "own"), [({}, CLOUD), (CLOUD, {}), (CLOUD, AROUND), (AROUND, CLOUD)])
def test_its_rows_begin_as_if_all_did_so_and_the_others_as_ever(experiment, tmp_path, shared, own):
    mixed = experiment(initial_states=shared, initial_states_by_split={"test": own})
    generate(mixed, tmp_path / "mixed", jobs=1)
    for name, section in (("shared", shared), ("own", own)):
        generate(experiment(initial_states=section), tmp_path / name, jobs=1)
    for split in SPLITS:
        expected = starts(tmp_path / ("own" if split == "test" else "shared"), split)
        np.testing.assert_array_equal(starts(tmp_path / "mixed", split), expected)
    assert not np.array_equal(starts(tmp_path / "shared", "test"), starts(tmp_path / "own", "test"))
    assert examine(tmp_path / "mixed").problems == []
    assert reintegrate(tmp_path / "mixed", 12).problems == []
    manifest = load_manifest(tmp_path / "mixed")
    assert manifest.format_version == 3
    assert manifest.config["initial_states_by_split"] == {"test": {"kind": "box", **own}}
    (told,) = Description(manifest).starts_by_split.values()
    assert told.startswith(own.get("kind", "box"))
    assert (
        f"begin otherwise, as the section `initial_states_by_split` says: `{told}`"
        in (tmp_path / "mixed/README.md").read_text()
    )
    shown = CliRunner().invoke(main, ["info", str(tmp_path / "mixed")])
    assert f"in test {told.split(',')[0]}" in shown.output
    assert "drawn otherwise in test" in draw_initial_states(sample_dataset(tmp_path / "mixed")).get_suptitle()


def test_where_it_is_not_asked_for_nothing_changes(experiment):
    for shared in ({}, CLOUD):
        plain = experiment(initial_states=shared).generation()
        assert "initial_states_by_split" not in plain
        for own in ({}, {"test": shared}):
            same = experiment(initial_states=shared, initial_states_by_split=own)
            assert same.generation() == plain


@pytest.mark.slow
def test_a_file_of_its_own_holds_its_rows_alone(experiment, tmp_path):
    table = np.random.default_rng(0).standard_normal((120, 2))
    np.save(tmp_path / "all.npy", table)
    np.save(tmp_path / "few.npy", table[100:])
    shared, own = ({"kind": "file", "path": str(tmp_path / name)} for name in ("all.npy", "few.npy"))
    config = experiment(initial_states=shared, initial_states_by_split={"validation": own})
    manifest = generate(config, tmp_path / "dataset", jobs=1).manifest
    np.testing.assert_array_equal(starts(tmp_path / "dataset", "train"), table[:70])
    np.testing.assert_array_equal(starts(tmp_path / "dataset", "validation"), table[100:])
    np.testing.assert_array_equal(starts(tmp_path / "dataset", "test"), table[70:80])
    assert manifest.config["initial_states"]["first_rows"] == {"train": 0, "test": 70}
    assert "first_rows" not in manifest.config["initial_states_by_split"]["validation"]
    # The same file for all, by which the test split begins with its first row again.
    again = experiment(initial_states=shared, initial_states_by_split={"test": shared})
    np.testing.assert_array_equal(again.initial_state_rows("test", 0, 10), table[:10])
    assert again.generation() != experiment(initial_states=shared).generation()


DELAYED = {
    "system": {
        "name": "late",
        "equations": {"x": "-delayed(x, tau)"},
        "parameters": {"tau": 1.0},
        "initial_state": {"x": [0.5, 1.0]},
    },
    "grid": {"duration": 2.0, "step": 0.1},
    "dataset": {"train": 2, "validation": 0, "test": 2, "dtype": "float64"},
}


@pytest.mark.slow
@pytest.mark.parametrize("equation", ["-delayed(x, tau)", "-tau*x"])
def test_a_transient_of_its_own_may_be_in_periods(equation, tmp_path):
    system = {**DELAYED["system"], "equations": {"x": equation}, "period": 1.5}
    made, states = [], []
    for number, transient in enumerate((3.0, {"periods": 2.0})):
        own = {"test": {"kind": "attractor", "transient": transient}}
        config = check_config({**DELAYED, "system": system, "initial_states_by_split": own}, "test")
        generate(config, tmp_path / str(number), jobs=1)
        made.append(config.generation())
        states.append(read_shard(tmp_path / f"{number}/test-00000.h5").state)
        # Said otherwise than that of the others, it is still the same.
        alike = {**DELAYED, "system": system, "initial_states": AROUND, "initial_states_by_split": own}
        assert "initial_states_by_split" not in check_config(alike, "test").generation()
    assert made[0] == made[1]
    np.testing.assert_array_equal(*states)
    with pytest.raises(TrajstoreError, match=r"initial_states_by_split\.test\.transient: is in periods, and"):
        check_config({**DELAYED, "initial_states_by_split": own}, "test")


@pytest.mark.slow
@pytest.mark.parametrize("own", [True, False])
def test_the_past_of_a_delay_equation_is_that_of_its_split(tmp_path, own):
    there, elsewhere = ("test", "train") if own else ("train", "test")
    raw = {**DELAYED, "initial_states": {} if own else AROUND}
    raw["initial_states_by_split"] = {"test": AROUND if own else {"kind": "box"}}
    generate(check_config(raw, "test"), tmp_path / "dataset", jobs=1)
    assert examine(tmp_path / "dataset").problems == []
    assert reintegrate(tmp_path / "dataset", 4).problems == []
    shards = {split: read_shard(tmp_path / f"dataset/{split}-00000.h5") for split in (there, elsewhere)}
    np.testing.assert_array_equal(shards[elsewhere].state[:, 0], shards[elsewhere].initial_state)
    # By the method of steps, x(0) after x = c up to t = -3: x(-2) = 0, x(-1) = -c / 2, x(0) = -c / 6.
    start = shards[there].initial_state
    np.testing.assert_allclose(shards[there].state[:, 0], -start / 6, rtol=1e-7)
    # What is judged against is integrated from the same time.
    for split, shard in shards.items():
        truth = Truth.of(TrajectoryDataset(tmp_path / "dataset", split))
        states, _ = truth.along(np.arange(2), shard.time)
        np.testing.assert_allclose(states, shard.state, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_merged_datasets_say_how_rows_began_where_all_say_the_same(experiment, tmp_path):
    own = [{"test": CLOUD}, {"test": CLOUD}, {"validation": CLOUD}]
    for number, section in enumerate(own):
        config = experiment(
            initial_states_by_split=section, dataset={"train": 3, "validation": 2, "test": 2, "seed": number}
        )
        generate(config, tmp_path / str(number), jobs=1)
    same = merge([tmp_path / "0", tmp_path / "1"], tmp_path / "same")
    assert list(same.config["initial_states_by_split"]) == ["test"]
    other = merge([tmp_path / "0", tmp_path / "2"], tmp_path / "other")
    assert "initial_states_by_split" not in other.config
    assert (same.format_version, other.format_version) == (3, 1)
    for name in ("same", "other"):
        assert examine(tmp_path / name).problems == []
        assert reintegrate(tmp_path / name, 14).problems == []


@pytest.mark.slow
def test_what_splits_may_share_is_asked_by_their_starts(experiment, tmp_path):
    np.save(tmp_path / "points.npy", np.tile([[1.0, 0.0], [0.5, 0.5]], (10, 1)))
    points = {"kind": "file", "path": str(tmp_path / "points.npy")}
    one = experiment(initial_states_by_split={"test": points}).generation()
    two = experiment(initial_states_by_split={"test": points, "validation": points})
    assert [can_share(config) for config in (one, two.generation())] == [False, True]
    generate(two, tmp_path / "dataset", jobs=1)
    (note,) = examine(tmp_path / "dataset").notes
    assert "10 of 10 rows of test are in validation" in str(note)


SECTION = "initial_states_by_split"
WRONG = {
    "no split": ('tests = { kind = "box" }', ".tests: got 'tests', expected 'train'"),
    "no key": ('test = { kinds = "box" }', ".test.kinds: unknown key; known here are kind"),
    "no state": ('test = { kind = "normal", mean = { q = 1.0 } }', ".test.mean.q: no such state"),
    "no such system": ('test = { kind = "two-body" }', '.test.kind: "two-body" is for'),
    "no file": ('test = { kind = "file", path = "none.npy" }', ".test.path: none.npy: cannot be read"),
    "no transient": ('test = { kind = "attractor" }', '.test: kind "attractor" needs transient'),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_named(tmp_path, case):
    section, message = WRONG[case]
    path = tmp_path / "config.toml"
    path.write_text('[system]\nname = "lorenz"\n[grid]\nduration = 1.0\nstep = 0.1\n[dataset]\ntrain = 2\n')
    arguments = ["generate", str(path), "--out", str(tmp_path / "out"), "--set", f"{SECTION}={{ {section} }}"]
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code, SECTION + message in done.stderr) == (2, True), done.stderr


def test_a_file_that_lacks_rows_is_told_with_those_of_the_split(experiment, tmp_path):
    np.save(tmp_path / "few.npy", np.zeros((9, 2)))
    own = {"test": {"kind": "file", "path": str(tmp_path / "few.npy")}}
    with pytest.raises(
        TrajstoreError, match=r"initial_states_by_split\.test\.path: .* expected \(10 or more"
    ):
        experiment(initial_states_by_split=own)

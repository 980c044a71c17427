"""What `info` prints: all that a person looks for first, on one screen, whatever the dataset and whoever wrote it."""

import io
import json
import re

import pytest
from click.testing import CliRunner
from rich.console import Console
from trajstore.data import load_manifest
from trajstore.pipeline import generate
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.cli.printing import dataset_facts, print_dataset
from trajstore.pipeline.cli.printing_metrics import print_metrics
from trajstore.pipeline.judge.columns import COLUMNS


def printed(manifest, width=80) -> str:
    out = io.StringIO()
    print_dataset(Console(file=out, width=width, force_terminal=True), manifest)
    return out.getvalue()


def plain(manifest, width=80) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", printed(manifest, width))


def wide(manifest, dimension):
    """The same manifest, of a system of many components."""
    names = [f"x{index}" for index in range(dimension)]
    system = {
        **manifest.system,
        "states": names,
        "equations": {name: f"-{name}" for name in names},
        "initial_state": {name: [7.0, 9.0] for name in names},
    }
    splits = {}
    for split, record in manifest.splits.items():
        values = {key: [0.5] * dimension for key in ("mean", "std", "minimum", "maximum")}
        moments = record.statistics.model_copy(update=values if record.statistics.count else {})
        splits[split] = record.model_copy(update={"statistics": moments})
    return manifest.model_copy(update={"system": system, "components": names, "splits": splits})


@pytest.mark.parametrize("width", [80, 120])
def test_one_screen_says_what_a_dataset_is(small_dataset, width):
    manifest = load_manifest(small_dataset)
    text = plain(manifest, width)
    lines = text.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= width
    for said in (
        "Trajectories of the system van-der-pol", manifest.id, "x2' = mu*(1 - x1**2)*x2 - x1", "mu = 0.1",
        "21 points, t = 0 to 2, a step of 0.1", "heyoka", "licence", "creator", "x1 in [-5, 5]", "100, none failed",
    ):  # fmt: skip
        assert said in text
    assert re.search(r"^train +70 +0 +3$", text, flags=re.M)
    moments = manifest.splits["train"].statistics
    numbers = [f"{column[0]:.4g}" for column in (moments.mean, moments.std, moments.minimum, moments.maximum)]
    assert re.search("^x1 +" + " +".join(map(re.escape, numbers)) + "$", text, flags=re.M)


def test_failures_are_counted_in_all_and_by_split(failing_dataset):
    manifest = load_manifest(failing_dataset)
    text = plain(manifest)
    failed = {name: split.failed for name, split in manifest.splits.items()}
    assert f"52, of which {sum(failed.values())} failed (" in text
    for name, rows in (("train", 40), ("validation", 12), ("test", 0)):
        assert re.search(rf"^{name} +{rows} +{failed[name]} +\d+$", text, flags=re.M)


def test_many_components_do_not_flood_the_screen_and_json_has_all(small_dataset):
    manifest = wide(load_manifest(small_dataset), 40)
    text = plain(manifest)
    assert len(text.splitlines()) <= 36
    assert "... and 34 more equations; --json has all" in text
    assert "each of 40 components in [7, 9]" in text
    assert len(dataset_facts(manifest)["splits"]["train"]["statistics"]["mean"]) == 40
    # One more than are shown is no longer than the line that would stand for it.
    assert "more" not in plain(wide(load_manifest(small_dataset), 6))


def test_measured_data_say_so(make_shard, write_dataset, tmp_path):
    folder = write_dataset(tmp_path / "measured", {"test": [make_shard(5, split="test")]})
    text = plain(load_manifest(folder))
    assert "none: measured data" in text
    assert "engine" not in text
    assert "in test" in text, "the ranges are of a split that has rows"


def test_where_a_dataset_came_from_is_shown(small_dataset):
    kept = load_manifest(small_dataset)
    derived = {
        "operation": "merge",
        "arguments": {},
        "sources": [{"id": f"{index:064}"} for index in range(9)],
    }
    manifest = kept.model_copy(update={"config": {**kept.config, "derived": derived}})
    assert re.search(r"^made +by merge *\n +from 0{64} *\n", plain(manifest, 120), flags=re.M)
    assert dataset_facts(manifest)["derived"] == derived
    assert dataset_facts(kept)["derived"] is None


def test_rows_of_a_dataset_made_from_others_have_no_seed_of_its_own(small_dataset):
    kept = load_manifest(small_dataset)
    assert "seed 0" in plain(kept)
    derived = {"operation": "merge", "arguments": {}, "sources": [{"id": "a"}, {"id": "b"}]}
    for starts in (None, {"kind": "attractor", "transient": 5.0}):
        config = {**kept.config, **({"initial_states": starts} if starts else {})}
        assert "seed" in plain(kept.model_copy(update={"config": config}))
        made = kept.model_copy(update={"config": {**config, "derived": derived}})
        assert "seed" not in plain(made)
        assert dataset_facts(made)["seed"] is None


def test_what_was_observed_and_when_is_told_to_programs_too(experiment, tmp_path):
    config = experiment(
        initial_states={"kind": "attractor", "transient": 2.0},
        observation={"noise": {"relative": 0.01}, "clean": True},
        dataset={"train": 3, "validation": 1, "test": 1, "date": "2026-11"},
    )
    generate(config, tmp_path, 1)
    manifest = load_manifest(tmp_path)
    facts = dataset_facts(manifest)
    assert facts["observation"]["noise"] == {"relative": 0.01}
    assert facts["initial_states"]["transient"] == 2.0
    assert facts["date"] == "2026-11"
    assert "; 2026-11" in plain(manifest)


def test_json_keeps_its_keys(small_dataset):
    result = CliRunner().invoke(main, ["info", str(small_dataset), "--json"])
    facts = json.loads(result.output)
    assert {
        "id", "title", "license", "creator", "format_version", "system", "components", "grid", "engine", "derived",
        "dtype", "seed", "bytes", "shards", "trajectories", "failed", "splits",
    } <= set(facts)  # fmt: skip
    assert (facts["trajectories"], facts["failed"]) == (100, 0)


@pytest.mark.slow
@pytest.mark.parametrize("junk", [None, 3, "[bold]\x1b[31m\x07\u202e", [1, 2], {"a": []}, "x" * 100_000])
def test_what_a_stranger_wrote_is_short_printable_text(small_dataset, junk):
    kept = load_manifest(small_dataset)
    manifests = [
        kept.model_copy(update={"system": {**kept.system, key: junk}})
        for key in ("name", "equations", "parameters", "initial_state", "time_unit", "description")
    ]
    manifests += [
        kept.model_copy(update={"config": {**kept.config, section: {**kept.config[section], key: junk}}})
        for section in ("grid", "dataset", "engine")
        for key in (*kept.config[section], "title")
    ]
    for manifest in manifests:
        text = plain(manifest)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
        assert len(text) < 20_000
    titled = kept.model_copy(
        update={"config": {**kept.config, "dataset": {**kept.config["dataset"], "title": "[bold]x[/bold]"}}}
    )
    assert "[bold]x[/bold]" in plain(titled)


def metrics(starts, measured=0, valid=100.0):
    """What `evaluate` gives, as far as it is printed."""
    cycle = {
        "true": 2.0001,
        "predicted": 2.08 if measured else None,
        "relative_error": 0.04 if measured else None,
    }
    return {
        "test": {"mse": 0.1},
        "model": {"name": "lstm"},
        "baselines": {},
        "rollout": {
            "trajectories": starts,
            "duration": 100.0,
            "with_cycle": measured,
            "valid_prediction_time": {"median": valid},
            "amplitude": cycle,
            "period": None,
        },
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((64, 60, 31.5), ["valid until 31.5 (median of 64 starts)", "2.08000, true 2.00010, relative error 0.04"]),
        ((64, 60), ["(median of 60 of 64 rollouts)"]),
        ((2, 2), ["valid until 100, the end (median of 2 starts)", "(median of 2 of 2 rollouts)"]),
        ((1, 1, 31.5), ["valid until 31.5 (from 1 start alone; others may differ)", "(from 1 rollout alone)"]),
        ((64, 0), ["amplitude of the cycle: true 2.00010; no rollout swings evenly"]),
    ],
)  # fmt: skip
def test_what_is_said_of_rollouts_says_of_how_many(arguments, said):
    out = io.StringIO()
    print_metrics(Console(file=out, width=80), metrics(*arguments))
    for text in said:
        assert text in out.getvalue()
    assert "None" not in out.getvalue()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_number_of_a_rollout_is_cut_however_narrow_the_screen(width):
    contenders = ["persistence", "polynomial", "analogue"]
    told = {key: 1.2345e-5 * 10**place for place, key in enumerate(COLUMNS)}
    found = metrics(3)
    found["rollout"] |= {**told, "baselines": dict.fromkeys(contenders, told), "floors": told}
    out = io.StringIO()
    print_metrics(Console(file=out, width=width), found)
    lines = out.getvalue().splitlines()
    tables = [line for line in lines if line.split()[:1] == ["rollout"]]
    assert [head for line in tables for head in line.split("rollout")[1].split()] == [
        word for head in COLUMNS.values() for word in head.split()
    ]
    for name in ("lstm", *contenders, "floor"):
        numbers = [float(value) for line in lines if name in line.split()[:1] for value in line.split()[1:]]
        # The table of test errors above has the network as well.
        assert numbers[-len(told) :] == pytest.approx(list(told.values()), rel=1e-2)
        assert len(numbers) - len(told) == (2 if name == "lstm" else 0)
    assert len(tables) == {40: 5, 80: 2, 200: 1}[width]


def test_shares_are_no_powers_of_ten(small_dataset):
    kept = load_manifest(small_dataset)
    for failed, said in ((100, "(100 %)"), (99, "(99 %)"), (1, "(1 %)")):
        train = kept.splits["train"].model_copy(update={"failed": failed})
        assert said in plain(kept.model_copy(update={"splits": {**kept.splits, "train": train}}))

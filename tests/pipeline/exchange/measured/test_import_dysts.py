"""Files of the benchmark of dysts become datasets with its split, which a study judges by its score."""

import gzip
import json

import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import TrajectoryDataset, load_manifest, verify
from trajstore.pipeline import import_dysts, run_study
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.judge.metrics.smape import smape

POINTS, FITTED = 144, 120
NAME = "test_univariate__pts_per_period_12__periods_12.json.gz"


def series(period, phase, *, components=1, points=POINTS):
    time = 3.0 + np.arange(points) * 0.05 * period
    angle = 2 * np.pi * time / period + phase
    values = np.stack([np.sin(angle), np.cos(angle), np.sin(2 * angle)][:components], axis=1)
    return {"values": (values[:, 0] if components == 1 else values).tolist(), "time": time.tolist()}


def benchmark(phase, **options):
    return {"Wave": series(2.0, phase, **options), "Slow": series(5.0, phase + 1, **options)}


def write(path, found):
    text = found if isinstance(found, str) else json.dumps(found, indent=4)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.fixture
def file(tmp_path):
    write(tmp_path / NAME.replace("test_", "train_"), benchmark(0.3))
    return write(tmp_path / NAME, benchmark(0.7))


def call(*arguments):
    return CliRunner().invoke(main, ["import", *map(str, arguments)])


def rows(folder, split):
    return TrajectoryDataset(folder, split, dtype="float64").states(slice(None)).numpy()


@pytest.mark.slow
def test_the_split_is_that_of_the_benchmark(file, tmp_path):
    done = call("--dysts", file, "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    assert str(tmp_path / NAME.replace("test_", "train_")) in done.stderr
    told = json.loads(done.stdout)
    assert list(told["datasets"]) == ["Wave", "Slow"]
    for name, period in (("Wave", 2.0), ("Slow", 5.0)):
        folder = tmp_path / "out" / name
        assert verify(folder) == []
        judged, tuned = (np.array(benchmark(phase)[name]["values"])[:, None] for phase in (0.7, 0.3))
        np.testing.assert_array_equal(rows(folder, "train"), judged[None, :FITTED])
        np.testing.assert_array_equal(rows(folder, "validation"), tuned[None])
        np.testing.assert_array_equal(rows(folder, "test"), judged[None])
        manifest = load_manifest(folder)
        assert manifest.system["name"] == name
        assert [each["file"] for each in manifest.config["derived"]["sources"]] == [
            NAME,
            NAME.replace("test_", "train_"),
        ]
        for split in ("train", "validation", "test"):
            time = TrajectoryDataset(folder, split).time
            np.testing.assert_allclose(np.diff(time), 0.05 * period, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("components", [1, 3])
def test_the_study_forecasts_what_was_not_fitted_and_nothing_else(components, tmp_path):
    write(tmp_path / "train_a.json", benchmark(0.3, components=components))
    path = write(tmp_path / "test_a.json", benchmark(0.7, components=components))
    import_dysts(path, tmp_path / "out")
    found = run_study(tmp_path / "out/study.toml", tmp_path / "judged", 1).results
    for name in ("Wave", "Slow"):
        by = {each["model"]: each for each in found["rows"] if each["varied"] == {"folder": name}}
        values = np.array(benchmark(0.7, components=components)[name]["values"]).reshape(POINTS, -1)
        true, last = values[None, FITTED:], np.broadcast_to(values[FITTED - 1], values[FITTED:].shape)
        assert by["persistence"]["metrics"]["smape"] == pytest.approx(
            smape(true, last[None]).mean(), rel=1e-12
        )
        assert by["nvar"]["metrics"]["smape"] < 0.1
    lines = {each["model"]: each for each in found["summary"]}
    assert lines["nvar"]["values"] == 2
    assert found["published"] == []


def test_without_a_series_to_tune_on_a_part_of_what_is_fitted_serves(tmp_path):
    path = write(tmp_path / "test_a.json", benchmark(0.0))
    done = call("--dysts", path, "--out", tmp_path / "out", "--system", "Slow")
    assert done.exit_code == 0, done.output
    assert "no file" in done.output
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["Slow", "study.toml"]
    assert load_manifest(tmp_path / "out/Slow").splits["validation"].trajectories == 0


def test_published_numbers_stand_beside_the_same_series_alone(tmp_path):
    path = write(tmp_path / "test_a.json", benchmark(0.0, points=1200))
    import_dysts(path, tmp_path / "all")
    import_dysts(path, tmp_path / "some", ["Slow"])
    assert "67.7" in (tmp_path / "all/study.toml").read_text()
    assert "published" not in (tmp_path / "some/study.toml").read_text()


WAVE = series(2.0, 0.0)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[1, 2]", "holds list"),
        ("{}", "holds an object of nothing"),
        ({"Wave": [1, 2]}, "Wave has list"),
        ({"Wave": {"values": [1.0]}}, "'values'; expected"),
        ({"Wave": {**WAVE, "values": WAVE["values"][1:]}}, "a time for each point"),
        ({"Wave": {**WAVE, "values": [[[1.0]]] * POINTS}}, "a time for each point"),
        ({"Wave": {**WAVE, "values": [[1.0], [1.0, 2.0]] * (POINTS // 2)}}, "several lengths"),
        ({"Wave": {**WAVE, "values": ["1"] * POINTS}}, "expected numbers"),
        ({"Wave": {**WAVE, "values": [None] * POINTS}}, "expected numbers"),
        ({"Wave": {**WAVE, "values": [True] * POINTS}}, "truth values"),
        ({"Wave": {**WAVE, "values": [*WAVE["values"][:-1], float("nan")]}}, "at point 143 (from 0)"),
        ({"Wave": {**WAVE, "time": WAVE["time"][::-1]}}, "do not increase"),
        ({"Wave": {**WAVE, "time": [each**1.01 for each in WAVE["time"]]}}, "apart at point"),
        ({"../Wave": WAVE}, "is called '../Wave'"),
        ({"Wave": series(2.0, 0.0, points=23)}, "at least 24"),
        ({"Wave": WAVE, "Slow": series(5.0, 0.0, points=100)}, "has 100 points"),
        (f'{{"Wave": {json.dumps(WAVE)}, "Wave": {json.dumps(WAVE)}}}', "'Wave' is there twice"),
        ("version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)  # fmt: skip
def test_what_is_none_of_that_form_is_refused_and_leaves_nothing(found, said, tmp_path):
    path = write(tmp_path / "test_a.json.gz", found)
    done = call("--dysts", path, "--out", tmp_path / "out")
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert str(path) in done.output
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_or_one_too_large_is_refused(file, tmp_path, monkeypatch):
    whole = file.read_bytes()
    for damaged in (
        whole[:200],
        whole[:200] + bytes([whole[200] ^ 255]) + whole[201:],
        whole[:-6] + b"\0" * 6,
    ):
        file.write_bytes(damaged)
        done = call("--dysts", file, "--out", tmp_path / "out")
        assert done.exit_code == 2, done.output
        assert "cannot be unpacked" in done.output
    file.write_bytes(whole)
    monkeypatch.setattr("trajstore.pipeline.exchange.measured.dysts_files.MAX_TEXT_FILE_BYTES", 1000)
    done = call("--dysts", file, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "more than 1,000 bytes" in done.output


def test_the_series_to_tune_on_is_another_of_the_same_shape(file, tmp_path):
    beside = tmp_path / NAME.replace("test_", "train_")
    for found, said in (
        (benchmark(0.7), "occurs"),
        (benchmark(0.3, components=2), "expected (144, 1)"),
        ({"Wave": WAVE}, "no series of 'Slow'"),
    ):
        write(beside, found)
        done = call("--dysts", file, "--out", tmp_path / "out")
        assert done.exit_code == 2, done.output
        assert said in done.output
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--step", "1"], "got --step"),
        (["--validation", "0.1"], "got --validation"),
        (["--system", "Wafe"], "Wave"),
    ],
)
def test_what_the_protocol_decides_is_no_option(more, said, file, tmp_path):
    done = call("--dysts", file, "--out", tmp_path / "out", *more)
    assert done.exit_code == 2
    assert said in done.output
    assert call(file, "--system", "Wave", "--out", tmp_path / "out").exit_code == 2
    assert "--dysts" in call(write(tmp_path / "a.json", {}), "--out", tmp_path / "out").output

"""The study of a pendulum in pictures: these tell angle and energy, both datasets have the same rows, and the
study runs.
"""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import TrajectoryDataset, verify
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.judge.metrics.metric import Batch, Context

STUDIES = Path(__file__).parents[3] / "studies"
STEP = 0.05


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, STUDIES / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


pixels, judged = module("pixels"), module("pixels_judged")


def test_a_picture_tells_the_angle_that_it_was_drawn_at():
    angles = np.linspace(-1.2, 1.2, 101)
    pictures = pixels.draw(angles)
    assert pictures.shape == (101, 784)
    assert pictures.min() == 0.0
    assert pictures.max() == 1.0
    np.testing.assert_allclose(judged.angles(pictures), angles, atol=5e-3)
    # A rod and its two half discs, in pixels.
    area = 2 * pixels.LENGTH * pixels.HALF_WIDTH + np.pi * pixels.HALF_WIDTH**2
    np.testing.assert_allclose(pictures.sum(axis=1) * (2 * pixels.BOX / pixels.PIXELS) ** 2, area, rtol=0.05)
    # It hangs down, and a positive angle is to the right.
    down, right = pixels.draw(np.array([0.0, np.pi / 2])).reshape(2, 28, 28)
    assert down[14:].sum() > 10 * down[:13].sum()
    assert right[:, 14:].sum() > 10 * right[:, :13].sum()


def swings(size: float) -> np.ndarray:
    """Angles (1, 200) of a small swing in closed form: q'' = -15 q."""
    return size * np.cos(np.sqrt(15) * STEP * np.arange(200))[None]


def test_the_energy_read_off_pictures_is_that_of_a_small_swing():
    size = 0.1
    energies = judged.energies(pixels.draw(swings(size)), STEP)
    # 1.9 q^2 / 2, but for what pixels and differences of so many points make of it.
    assert energies.mean() == pytest.approx(0.95 * size**2, rel=0.05)


def test_the_metric_is_the_mean_square_of_energy_that_is_lost_or_won():
    true, lost = pixels.draw(swings(0.3)), pixels.draw(swings(0.2))
    metric = judged.PictureEnergy(Context((), np.ones(784), STEP * np.arange(200)))
    metric.add(Batch(true, true))
    small = metric.result()["picture_energy_mse"]
    assert small < 1e-5
    metric.add(Batch(true, lost))
    found = metric.result()
    assert found["picture_energy_worst"] == pytest.approx((0.95 * (0.3**2 - 0.2**2)) ** 2, rel=0.15)
    assert found["picture_energy_mse"] == pytest.approx((small + found["picture_energy_worst"]) / 2)


@pytest.mark.slow
def test_the_study_draws_trains_and_judges(tmp_path, monkeypatch):
    small = tmp_path / "studies"
    small.mkdir()
    for name in ("pixels.toml", "pixels.py", "pixels_judged.py"):
        text = (STUDIES / name).read_text()
        text = text.replace(
            "TRAIN, VALIDATION, TEST, POINTS, STEP = 50, 5, 10, 206",
            "TRAIN, VALIDATION, TEST, POINTS, STEP = 6, 1, 2, 46",
        )
        (small / name).write_text(text)
    result = CliRunner().invoke(
        main, ["study", str(small / "pixels.toml"), "--out", str(tmp_path / "out"), "--jobs", "1", "--quick"]
    )
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "out/results.json").read_text())["rows"]
    assert {row["model"] for row in rows if row["kind"] == "model"} == {"hamiltonian", "free"}
    assert all(row["metrics"]["picture_energy_mse"] > 0 for row in rows if row["kind"] == "model")
    assert (tmp_path / "out/frames.png").is_file()
    (run,) = (tmp_path / "out/runs").glob("*-hamiltonian-*")
    monkeypatch.syspath_prepend(STUDIES)
    module("pixels_pushed").main(str(run), str(tmp_path / "pushed.png"))
    assert (tmp_path / "pushed.png").is_file()
    folder = tmp_path / "out/datasets"
    assert verify(folder / "pictures") == verify(folder / "pictures-angles") == []
    for split, count in (("train", 6), ("validation", 1), ("test", 2)):
        seen = TrajectoryDataset(folder / "pictures", split).states(slice(None)).numpy()
        angles = (
            TrajectoryDataset(folder / "pictures-angles", split, dtype="float64").states(slice(None)).numpy()
        )
        assert len(seen) == len(angles) == count
        np.testing.assert_array_equal(seen, pixels.draw(angles[..., 0]))
        energy = 1.9 * (1 - np.cos(angles[..., 0])) + angles[..., 1] ** 2
        np.testing.assert_allclose(energy, energy[:, :1].repeat(46, axis=1), rtol=1e-9)

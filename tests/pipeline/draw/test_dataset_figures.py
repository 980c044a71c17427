"""Figures of a dataset: they show the rows of its files, for any dimension and any dataset, and touch none of it."""

import tracemalloc
import warnings

import h5py
import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from trajstore.data import FormatError, load_manifest, verify
from trajstore.pipeline import generate
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.draw.dataset import (
    DRAWINGS,
    _beside,
    draw_initial_states,
    draw_phase,
    draw_series,
    plot_dataset,
)
from trajstore.pipeline.draw.dataset_labels import SPLIT_COLOURS
from trajstore.pipeline.draw.dataset_sample import SAMPLES, STARTS, TRAJECTORIES, sample_dataset
from trajstore.pipeline.draw.projections import places_of_bodies, principal_directions
from trajstore.pipeline.draw.style import STYLE

pytestmark = pytest.mark.slow

NAMES = ["initial-states.png", "phase.png", "series.png"]
DECAY = {name: f"-{rate}*{name}" for rate, name in enumerate("abcdefghijk", start=1)}


def rows_of(folder, split, name):
    with_shards = sorted(folder.glob(f"{split}-*.h5"))
    return np.concatenate([h5py.File(path)[name][()] for path in with_shards])


def curves(axes, sample):
    """Colour and points of each line of an axes that is as long as a trajectory."""
    return [
        (to_hex(one.get_color()).upper(), one.get_xydata())
        for one in axes.lines
        if len(one.get_xydata()) == len(sample.time)
    ]


def draw_all(folder):
    """Lay every figure out, as saving does, without the pixels; a warning is an error."""
    with warnings.catch_warnings(), mpl.rc_context(STYLE), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        for draw in DRAWINGS.values():
            draw(sample_dataset(folder)).draw_without_rendering()


@pytest.fixture(scope="module")
def decays(experiment, tmp_path_factory):
    """`decays(D)`: datasets of D components, x' = -k x."""

    def make(dimension):
        equations = dict(list(DECAY.items())[:dimension])
        system = {
            "name": "decay",
            "equations": equations,
            "initial_state": {name: [1.0, 2.0] for name in equations},
        }
        folder = tmp_path_factory.mktemp("decay") / "dataset"
        generate(experiment(system=system), folder, jobs=1)
        return folder

    return make


@pytest.mark.parametrize("dimension", [1, 2, 3, 4, 7])
def test_any_dimension_is_drawn_and_the_dataset_left_alone(decays, dimension, contents):
    folder = decays(dimension)
    if dimension not in (2, 7):
        draw_all(folder)
        return
    before = contents(folder)
    paths = plot_dataset(folder)
    assert sorted(path.name for path in paths) == NAMES
    assert {path.parent for path in paths} == {folder.parent / "dataset-figures"}
    for path in paths:
        pixels = matplotlib.image.imread(path)
        assert min(pixels.shape[:2]) > 300
        assert pixels[..., :3].std() > 0.02, "not a blank page"
    assert contents(folder) == before
    assert verify(folder) == []


@pytest.mark.usefixtures("fast")
def test_the_same_dataset_gives_the_same_pictures(small_dataset, tmp_path):
    first, second = (plot_dataset(small_dataset, tmp_path / name) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_the_phase_portrait_shows_rows_of_each_split_in_its_colour(small_dataset):
    sample = sample_dataset(small_dataset)
    axes = draw_phase(sample).axes[0]
    drawn = curves(axes, sample)
    for split, colour in SPLIT_COLOURS.items():
        rows = {states.tobytes() for states in rows_of(small_dataset, split, "state").astype(np.float64)}
        mine = [points for shade, points in drawn if shade == colour.upper()]
        assert len(mine) >= 5
        assert all(points.tobytes() in rows for points in mine)
    assert axes.get_xlabel() == "$x_{1}$"


def test_the_flow_goes_where_the_trajectories_go(small_dataset):
    sample = sample_dataset(small_dataset)
    axes = draw_phase(sample).axes[0]
    (flow,) = axes.collections
    streamlines = flow.get_segments()
    x, y = np.concatenate([(one[1:] + one[:-1]) / 2 for one in streamlines]).T
    steps = np.concatenate([np.diff(one, axis=0) for one in streamlines])
    slopes = np.column_stack([y, 0.1 * (1 - x**2) * y - x])
    lengths = np.hypot(*steps.T) * np.hypot(*slopes.T)
    cosines = (steps * slopes).sum(axis=1)[lengths > 0] / lengths[lengths > 0]
    assert len(cosines) > 200
    assert np.median(cosines) > 0.999
    assert np.quantile(cosines, 0.05) > 0.95


def test_the_initial_states_are_those_of_the_files_and_failed_rows_are_crosses(
    small_dataset, experiment, tmp_path
):
    system = {
        "name": "blow-up",
        "equations": {"x": "x**2", "y": "-y"},
        "initial_state": {"x": [-1.0, 1.0], "y": [0.0, 1.0]},
    }
    generate(experiment(system=system), tmp_path / "dataset", jobs=1)
    axes = draw_initial_states(sample_dataset(tmp_path / "dataset")).axes[1]
    points = [np.asarray(one.get_offsets()) for one in axes.collections]
    for place, split in enumerate(("train", "validation", "test")):
        starts = rows_of(tmp_path / "dataset", split, "initial_state")
        failed = rows_of(tmp_path / "dataset", split, "status") != 0
        np.testing.assert_array_equal(points[2 * place], starts[~failed])
        np.testing.assert_array_equal(points[2 * place + 1], starts[failed])
        assert failed.any()
    (box,) = axes.patches
    assert (*box.get_xy(), box.get_width(), box.get_height()) == (-1.0, 0.0, 2.0, 1.0)
    shown = labels(draw_initial_states(sample_dataset(small_dataset)))
    assert shown == ["train (70)", "validation (20)", "test (10)", "drawn from this box"]


def boxes(figure):
    return [patch for axes in figure.axes for patch in axes.patches if isinstance(patch, Rectangle)]


def labels(figure):
    return [text.get_text() for text in figure.legends[0].texts]


@pytest.mark.parametrize(
    ("starts", "drawn", "note"),
    [
        ({"kind": "box"}, True, ""),
        ({"kind": "attractor", "transient": 30.0}, False, "after a transient of 30"),
        ({"kind": "normal", "std": {"x1": 3.0}}, False, ""),
    ],
)
def test_the_box_is_drawn_only_where_initial_states_were_drawn_from_it(
    experiment, tmp_path, starts, drawn, note
):
    generate(experiment(initial_states=starts), tmp_path / "dataset", jobs=1)
    figure = draw_initial_states(sample_dataset(tmp_path / "dataset"))
    assert len(boxes(figure)) == drawn
    assert ("drawn from this box" in labels(figure)) == drawn
    assert figure.get_suptitle().endswith(f"$\\mu$ = 0.1{'; ' if note else ''}{note}")


def test_few_rows_have_no_histogram(make_shard, write_dataset, tmp_path):
    few = write_dataset(tmp_path / "few", {"train": [make_shard(1, 21, ("x", "y", "z"))]})
    figure = draw_initial_states(sample_dataset(few))
    assert len(figure.axes) == 3
    assert not [patch for axes in figure.axes for patch in axes.patches]
    for axes in figure.axes:
        assert len(axes.collections[0].get_offsets()) == 1
    one = write_dataset(tmp_path / "one", {"train": [make_shard(3, 21, ("x",))]})
    (axes,) = draw_initial_states(sample_dataset(one)).axes
    assert not axes.patches
    assert len(axes.lines[0].get_xydata()) == 3
    # Shares are of the split that has them, and as fine as before.
    shards = {"train": [make_shard(1000, 2, ("x",))], "test": [make_shard(1, 2, ("x",), split="test")]}
    mixed = write_dataset(tmp_path / "mixed", shards)
    (axes,) = draw_initial_states(sample_dataset(mixed)).axes
    assert [len(patch.get_data().values) for patch in axes.patches] == [20]
    assert len(axes.lines[0].get_xydata()) == 1


def test_parameters_that_differ_from_row_to_row_are_in_the_title(experiment, tmp_path):
    system = {"name": "van-der-pol", "parameters": {"mu": {"uniform": [0.1, 4.0]}}}
    generate(experiment(system=system), tmp_path / "dataset", jobs=1)
    for draw in DRAWINGS.values():
        assert draw(sample_dataset(tmp_path / "dataset")).get_suptitle().endswith("\n$\\mu$ in [0.1, 4]")


def test_the_time_series_are_the_rows_that_the_legend_names(small_dataset):
    sample = sample_dataset(small_dataset)
    figure = draw_series(sample)
    assert len(figure.axes) == 2
    for component, axes in enumerate(figure.axes):
        assert len(axes.lines) == 6
        for one in axes.lines:
            split, number = one.get_label().split()
            state = rows_of(small_dataset, split, "state")[int(number), :, component]
            np.testing.assert_array_equal(one.get_xydata(), np.column_stack([sample.time, state]))


def test_rows_of_many_components_are_images_of_their_values(make_shard, write_dataset, tmp_path):
    names = tuple(f"u{number}" for number in range(40))
    folder = write_dataset(tmp_path / "dataset", {"train": [make_shard(5, 21, names)]})
    sample = sample_dataset(folder)
    figure = draw_series(sample)
    for axes, number in zip(figure.axes[:3], sample.splits[0].numbers, strict=False):
        assert axes.get_title("left") == f"train {number}"
        values = rows_of(folder, "train", "state")[number]
        np.testing.assert_array_equal(axes.collections[0].get_array(), values.T)
    assert "first 4 of 40 components" in draw_initial_states(sample).get_suptitle()
    assert "principal components of 40" in draw_phase(sample).get_suptitle()
    draw_all(folder)


def test_principal_directions_are_those_of_an_ellipsoid_with_its_shares():
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    lengths = np.array([6.0, 3.0, 2.0, 1.0, 0.5, 0.1])
    states = rng.normal(size=(200_000, 6)) * lengths @ axes
    directions, shares = principal_directions(states - states.mean(axis=0))
    np.testing.assert_allclose(shares, lengths**2 / (lengths**2).sum(), rtol=0.02)
    for found, expected in zip(directions[:3], axes[:3], strict=True):
        assert abs(found @ expected) > 0.999


def test_bodies_in_a_plane_are_drawn_as_orbits(experiment, tmp_path):
    config = experiment(
        system={"name": "two-body", "parameters": {}},
        initial_states={"kind": "two-body"},
        dataset={"train": 4, "validation": 2, "test": 0},
    )
    generate(config, tmp_path / "dataset", jobs=1)
    names = config.dynamics.states
    assert [(names[x], names[y]) for x, y in places_of_bodies(names)] == [("qx1", "qy1"), ("qx2", "qy2")]
    figure = draw_phase(sample_dataset(tmp_path / "dataset"))
    row = rows_of(tmp_path / "dataset", "train", "state")[0]
    one, _, other, _ = figure.axes[0].lines
    np.testing.assert_array_equal(one.get_xydata(), row[:, [0, 2]])
    # Opposite each other about a centre that rests.
    np.testing.assert_allclose(one.get_xydata(), -other.get_xydata(), atol=1e-5)


def test_failed_rows_are_said_and_left_out(failing_dataset):
    sample = sample_dataset(failing_dataset)
    failed = sum(split.failed for split in load_manifest(failing_dataset).splits.values())
    for draw in (draw_phase, draw_initial_states, draw_series):
        assert f"{failed} of 52 rows failed" in draw(sample).get_suptitle()
    for split in sample.splits:
        assert np.isfinite(split.states).all()
        status = rows_of(failing_dataset, split.name, "status")
        assert (status[split.numbers] == 0).all()


@pytest.mark.parametrize(
    "kind", ["all failed", "one row", "one time", "compressed", "flat", "huge", "float64"]
)
def test_unusual_datasets_are_drawn_without_a_warning(make_shard, write_dataset, tmp_path, kind):
    shard = make_shard(
        1 if kind == "one row" else 9,
        1 if kind == "one time" else 21,
        dtype="float64" if kind in ("huge", "float64") else "float32",
        failed=tuple(range(9)) if kind == "all failed" else (),
    )
    if kind == "flat":
        shard.state[:] = shard.initial_state[:] = 3.0
    if kind == "huge":
        shard.state[:] *= 1e200
        shard.initial_state[:] *= 1e200
    folder = write_dataset(tmp_path / "dataset", {"train": [shard]}, "gzip" if kind == "compressed" else None)
    draw_all(folder)


@pytest.mark.parametrize(
    "name",
    ["a$b", "$x$", "$\\frac{$", "x_", "x__y", "\\alpha", "日本", "x y", "%s {}", "lambda", "xbar"],
)
def test_names_and_titles_are_text_and_break_nothing(make_shard, write_dataset, tmp_path, name):
    shard = make_shard(6, components=(name, "z"), units=name)
    folder = write_dataset(tmp_path / "dataset", {"train": [shard]})
    kept = load_manifest(folder)
    config = {**kept.config, "dataset": {**kept.config["dataset"], "title": name}}
    system = {**kept.system, "time_unit": name, "name": name}
    (folder / "manifest.json").write_text(
        kept.model_copy(update={"config": config, "system": system}).to_json()
    )
    draw_all(folder)


def test_a_sample_is_spread_over_the_split_and_small(make_shard, write_dataset, tmp_path):
    shards = [make_shard(3001, 2, first_row=row, failed=(5, 9)) for row in (0, 3001, 6002)]
    folder = write_dataset(tmp_path / "dataset", {"train": shards})
    (split,) = sample_dataset(folder).splits
    starts = rows_of(folder, "train", "initial_state")
    np.testing.assert_array_equal(split.starts, starts[::5])
    assert len(split.starts) <= STARTS
    np.testing.assert_array_equal(split.sound, rows_of(folder, "train", "status")[::5] == 0)
    assert len(split.numbers) == TRAJECTORIES
    np.testing.assert_array_equal(split.states, rows_of(folder, "train", "state")[split.numbers])
    assert split.numbers[0] == 0
    assert split.numbers[-1] > 8900
    assert np.diff(split.numbers).max() < 1000


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_the_rest_of_the_dataset_is_not_read_into_memory(make_shard, write_dataset, tmp_path, compression):
    shard = make_shard(600, 5000)
    folder = write_dataset(tmp_path / "dataset", {"train": [shard]}, compression)
    size = shard.state.nbytes
    tracemalloc.start()
    sample = sample_dataset(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / (8 if compression is None else 1.2)
    assert len(sample.time) == SAMPLES
    assert "the first 4,000 of 5,000 times" in draw_series(sample).get_suptitle()


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setitem(STYLE, "savefig.dpi", 30)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.usefixtures("fast")
def test_the_command_draws_folders_and_shards_where_it_is_told(dataset_copy, tmp_path, contents):
    before = contents(dataset_copy)
    assert run("plot", dataset_copy).exit_code == 0
    assert sorted(path.name for path in (tmp_path / "dataset-figures").iterdir()) == NAMES
    result = run("plot", dataset_copy / "test-00000.h5", "--out", tmp_path / "elsewhere")
    assert result.exit_code == 0
    assert str(tmp_path / "elsewhere/phase.png") in result.stderr
    for inside, said in ((dataset_copy, "holds a dataset"), (dataset_copy / "figures", "lies in a dataset")):
        result = run("plot", dataset_copy, "--out", inside)
        assert result.exit_code == 2
        assert said in result.stderr
    assert contents(dataset_copy) == before


def test_figures_lie_beside_a_dataset_never_in_it(dataset_copy, tmp_path):
    shard = dataset_copy / "test-00000.h5"
    assert _beside(dataset_copy) == tmp_path / "dataset-figures"
    assert _beside(shard) == tmp_path / "dataset-figures/test-00000"
    (dataset_copy / "manifest.json").unlink()
    assert _beside(shard) == dataset_copy / "test-00000-figures"


def test_a_folder_that_is_neither_run_nor_dataset_is_an_error(tmp_path, dataset_copy):
    assert run("plot", tmp_path).exit_code == 2
    (tmp_path / "text.h5").write_text("?")
    result = run("plot", tmp_path / "text.h5")
    assert result.exit_code == 2
    assert "text.h5" in result.stderr
    (dataset_copy / "train-00001.h5").write_bytes(b"?")
    with pytest.raises(FormatError, match="train-00001"):
        plot_dataset(dataset_copy)
    assert not (tmp_path / "dataset-figures").exists()


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_the_field_is_drawn_where_the_trajectories_are_in_any_unit(experiment, tmp_path, unit):
    system = {
        "name": "rotation",
        "equations": {"x": "v", "v": "-x"},
        "initial_state": {"x": [unit, unit], "v": [0.0, 0.0]},
    }
    generate(experiment(system=system), tmp_path / "dataset", jobs=1)
    axes = draw_phase(sample_dataset(tmp_path / "dataset")).axes[0]
    low, high = axes.get_xlim()
    assert 0.5 * unit < high - low < 5 * unit

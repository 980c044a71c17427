"""No text of any figure lies outside of its canvas, whatever names and titles files have."""

import warnings

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text
from trajstore.data import load_manifest
from trajstore.pipeline import System, generate, get_system
from trajstore.pipeline.describe.phrases import line
from trajstore.pipeline.draw.dataset import DRAWINGS as OF_DATASETS
from trajstore.pipeline.draw.dataset_sample import sample_dataset
from trajstore.pipeline.draw.style import STYLE, new_figure, plain
from trajstore.pipeline.draw.system import draw_system

pytestmark = pytest.mark.slow

# In pixels: antialiasing.
SLACK = 1.0
LONG = "An experiment with a rather long title that somebody wrote to say all about it at once, and more than that"
TITLES = [LONG, "W" * 300, "a$b" * 80, "$x_1$ " * 40, "\\frac{" * 30]


def outside(figure):
    """Texts that lie, in part, outside of the figure, after it was laid out."""
    with warnings.catch_warnings(), mpl.rc_context(STYLE), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        figure.draw_without_rendering()
    ticks = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis, *([axes.zaxis] if axes.name == "3d" else []))
        for tick, place in zip(axis.get_major_ticks(), axis.get_majorticklocs(), strict=False)
        if not min(axis.get_view_interval()) <= place <= max(axis.get_view_interval())
        for label in (tick.label1, tick.label2)
    }
    found = []
    for text in figure.findobj(Text):
        if text in ticks or not text.get_visible() or not text.get_text().strip():
            continue
        box = text.get_window_extent()
        if not (
            box.x0 >= -SLACK
            and box.y0 >= -SLACK
            and box.x1 <= figure.bbox.width + SLACK
            and box.y1 <= figure.bbox.height + SLACK
        ):
            found.append((text.get_text(), box.extents, figure.bbox.extents))
    return found


@given(title=st.text(max_size=400) | st.sampled_from(TITLES))
@settings(max_examples=15)
def test_any_title_is_wrapped_into_the_figure(title):
    figure = new_figure(4.6, 1.7)
    axes = figure.add_subplot()
    axes.plot([0, 1])
    axes.set_title(plain(line(title, 70)), loc="left")
    figure.suptitle(plain(line(title, 200)), x=0.02, ha="left")
    assert outside(figure) == []


def test_a_title_keeps_its_words_and_its_mathematics():
    figure = new_figure(3.0, 2.0)
    words = (
        r"some words, $\alpha + \beta$ = 1, a\$b, and then many more words, so that the line is far too long"
    )
    title = figure.suptitle(words, x=0.02, ha="left")
    figure.add_subplot().plot([0, 1])
    assert outside(figure) == []
    assert "\n" in title.get_text()
    assert title.get_text().replace("\n", " ") == words
    short = new_figure(6.0, 2.0)
    title = short.suptitle("short", x=0.02, ha="left")
    size = title.get_fontsize()
    assert outside(short) == []
    assert (title.get_text(), title.get_fontsize()) == ("short", size)


@pytest.mark.parametrize("title", TITLES[:3])
def test_figures_of_datasets_with_long_titles_names_and_units(title, make_shard, write_dataset, tmp_path):
    names = {1: ("c" * 40,), 3: ("a_long_name_of_a_state", "y", title[:33])}
    for dimension, components in names.items():
        shard = make_shard(6, components=components)
        folder = write_dataset(tmp_path / f"{dimension}", {"train": [shard]})
        kept = load_manifest(folder)
        config = {**kept.config, "dataset": {**kept.config["dataset"], "title": title}}
        system = {**kept.system, "time_unit": title, "name": title}
        manifest = kept.model_copy(update={"config": config, "system": system})
        (folder / "manifest.json").write_text(manifest.to_json())
        for name, draw in OF_DATASETS.items():
            assert outside(draw(sample_dataset(folder))) == [], (name, dimension)


def test_figures_of_datasets_with_many_parameters(experiment, tmp_path):
    parameters = {f"a_long_parameter_{number}": {"uniform": [0.123456789, 123456.789]} for number in range(7)}
    sides = "+".join(parameters)
    config = experiment(
        system={
            "name": "a-name-that-is-far-too-long-for-any-title-of-any-figure",
            "equations": {"x": f"-x*({sides})/1e6", "y": "-y"},
            "parameters": parameters,
            "initial_state": {"x": [1.0, 2.0], "y": [1.0, 2.0]},
        },
        dataset={"train": 20, "validation": 12, "test": 12},
    )
    generate(config, tmp_path / "data", jobs=1)
    for name, draw in OF_DATASETS.items():
        assert outside(draw(sample_dataset(tmp_path / "data"))) == [], name


@pytest.mark.parametrize("name", ["van-der-pol", "lorenz", "three-body", "double-pendulum"])
def test_figures_of_systems(name):
    assert outside(draw_system(get_system(name))) == []


def test_figures_of_a_system_with_long_names():
    state, other = "a_state_with_a_long_name", "another_state_with_a_long_name"
    system = System("s" * 60, {state: other, other: f"-{state}"}, {}, {state: (-1, 1), other: (-1, 1)})
    assert outside(draw_system(system)) == []

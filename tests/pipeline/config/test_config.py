"""Configs: what is right is read as it says; what is wrong is named, with what was got and what would be right."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trajstore.data import FormatError, TrajstoreError
from trajstore.data.base.hashing import json_hash
from trajstore.pipeline import ConfigError, load_config
from trajstore.pipeline.generation.plan import make_plan

GOOD = """
[system]
name = "van-der-pol"
parameters = { mu = 0.1 }
initial_state = { x1 = [-5.0, 5.0], x2 = [-5.0, 5.0] }
[grid]
duration = 2.0
step = 0.1
[dataset]
train = 100
"""

OWN = """
[system]
name = "damped-oscillator"
equations = { x = "v", v = "-k*x - c*v" }
parameters = { k = 1.0, c = 0.1 }
initial_state = { x = [-1.0, 1.0], v = [-1.0, 1.0] }
[grid]
duration = 2.0
points = 21
[dataset]
train = 100
"""


HAMILTONIAN = """
[grid]
duration = 2.0
points = 21
[dataset]
train = 100
[system]
name = "spring"
hamiltonian = "p**2/2 + q**2/2"
momenta = { q = "p" }
initial_state = { q = [-1.0, 1.0], p = [-1.0, 1.0] }
"""


@pytest.fixture
def load(tmp_path):
    """`load(text, *overrides)` reads a config with that text."""

    def read(text: str, *overrides: str):
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        return load_config(path, overrides)

    return read


def test_a_config_is_read_as_it_says(load):
    config = load(GOOD)
    assert config.dynamics.name == "van-der-pol"
    assert config.dynamics.defaults == (0.1,)
    np.testing.assert_array_equal(config.times, np.linspace(0.0, 2.0, 21))
    assert config.dataset.train == 100
    assert (config.dataset.validation, config.dataset.test, config.dataset.seed) == (0, 0, 0)


@pytest.mark.parametrize(
    "path", sorted(Path(__file__).parents[3].glob("configs/*.toml")), ids=lambda path: path.stem
)
def test_the_configs_that_come_along_are_sound(path):
    config = load_config(path)
    assert make_plan(config)
    assert len(config.times) == 21


def test_a_system_of_ones_own_needs_no_python(load):
    config = load(OWN)
    system = config.dynamics
    assert system.states == ("x", "v")
    assert system.function(list(system.vector_field), "math")(0.0, (2.0, 3.0), system.defaults) == [3.0, -2.3]
    assert dict(system.initial_state) == {"x": (-1.0, 1.0), "v": (-1.0, 1.0)}


def test_what_is_left_out_of_a_library_system_is_the_systems_own(load):
    text = (
        GOOD.replace("parameters = { mu = 0.1 }\n", "")
        .replace(", x2 = [-5.0, 5.0]", "")
        .replace("-5.0", "1.0")
    )
    system = load(text).dynamics
    assert system.defaults == (0.1,)
    assert dict(system.initial_state) == {"x1": (1.0, 5.0), "x2": (-5.0, 5.0)}


def test_overrides_change_what_they_name(load):
    config = load(
        GOOD,
        "system.parameters.mu=8.5",
        "dataset.train = 7",
        "training.learning_rate=1e-3",
        'dataset.dtype="float64"',
        "dataset.title=a plain text",
        "system.initial_state.x1=[0.0, 1.0]",
        "task.normalize=true",
        "model.encoder=[64, 64]",
    )
    assert config.dynamics.defaults == (8.5,)
    assert config.dataset.train == 7
    assert config.training.learning_rate == 1e-3
    assert config.dataset.dtype == "float64"
    assert config.dataset.title == "a plain text"
    assert config.dynamics.initial_state["x1"] == (0.0, 1.0)
    assert config.task.normalize is True
    assert config.model.encoder == [64, 64]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("dataset.train", r"--set dataset\.train: expected key\.path=value"),
        ("=5", "--set =5: expected key"),
        ("dataset.=5", "expected key"),
        ("dataset.train.rows=5", "dataset.train.rows.*train is no section"),
        ("dataset.trian=5", "dataset.trian: unknown key.*train, validation"),
        ("dataset.train=many", "dataset.train: got 'many'.*integer"),
        ("training=5", "training: got 5"),
        ("nothing.at.all=5", "nothing: unknown key.*system, grid, dataset"),
        (".dataset.train=5", "unknown key"),
        ("dataset.train=-5", "dataset.train: got -5.*greater than 0"),
    ],
)
def test_an_override_that_cannot_be_is_refused(load, override, expected):
    with pytest.raises(ConfigError, match=expected):
        load(GOOD, override)


def change(old: str, new: str, text: str = GOOD) -> str:
    assert old in text
    return text.replace(old, new)


# What is wrong with it: the text, the key that must be named, what was got, what would be right.
WRONG = {
    "no file": (None, "no such config file", "", ""),
    "no TOML": ("[system\nname", "config.toml: is no TOML", "", "line 1"),
    "no text": (b"\xff\xfe\x00", "config.toml", "", "TOML"),
    "empty": ("", "system: missing", "grid: missing", "dataset: missing"),
    "unknown section": (GOOD + "[moedl]\nhidden = 3", "moedl: unknown key", "", "model"),
    "unknown key": (change("step", "stepp"), "grid.stepp: unknown key", "", "duration, step, points"),
    "unknown key in the system": (
        change("parameters", "parameter"),
        "system.parameter: unknown",
        "",
        "parameters",
    ),
    "unknown engine key": (GOOD + "[engine]\nrtol = 1e-3", "engine.rtol: unknown key", "", "tolerance"),
    "missing key": (change("duration = 2.0", ""), "grid.duration: missing", "", ""),
    "missing rows": (change("train = 100", "test = 3"), "dataset.train: missing", "", ""),
    "text for a number": (change("duration = 2.0", 'duration = "2"'), "grid.duration", "'2'", "number"),
    "number for a text": (change('"van-der-pol"', "3"), "system.name", "3", "string"),
    "truth for a number": (change("duration = 2.0", "duration = true"), "grid.duration", "True", "number"),
    "truth for a count": (change("train = 100", "train = true"), "dataset.train", "True", "integer"),
    "fraction for a count": (change("train = 100", "train = 1.5"), "dataset.train", "1.5", "integer"),
    "float for a count": (change("train = 100", "train = 1e5"), "dataset.train", "100000.0", "integer"),
    "list for a number": (change("duration = 2.0", "duration = [2.0]"), "grid.duration", "[2.0]", "number"),
    "number for a section": (
        "dataset = 5\n" + GOOD.split("[dataset]")[0],
        "dataset",
        "5",
        "expected a table",
    ),
    "no duration": (change("duration = 2.0", "duration = 0.0"), "grid.duration", "0.0", "greater than 0"),
    "negative duration": (change("duration = 2.0", "duration = -2.0"), "grid.duration", "-2.0", "greater"),
    "infinite duration": (change("duration = 2.0", "duration = inf"), "grid.duration", "inf", "finite"),
    "NaN": (change("mu = 0.1", "mu = nan"), "system.parameters.mu", "nan", "finite"),
    "no rows": (change("train = 100", "train = 0"), "dataset.train", "0", "greater than 0"),
    "negative rows": (GOOD + "test = -1", "dataset.test", "-1", "greater than or equal to 0"),
    "negative seed": (GOOD + "seed = -1", "dataset.seed", "-1", "greater than or equal to 0"),
    "large seed": (GOOD + f"seed = {2**63 - 1}0", "dataset.seed", "92233720368547758070", "less than"),
    "empty shards": (GOOD + "shard_rows = 0", "dataset.shard_rows", "0", "greater than 0"),
    "unknown dtype": (GOOD + 'dtype = "float16"', "dataset.dtype", "'float16'", "'float32' or 'float64'"),
    "unknown compression": (GOOD + 'compression = "lzf"', "dataset.compression", "'lzf'", "'none' or 'gzip'"),
    "step and points": (
        change("step = 0.1", "step = 0.1\npoints = 21"),
        "grid: ",
        "",
        "either step or points",
    ),
    "neither step nor points": (change("step = 0.1", ""), "grid: ", "", "either step or points"),
    "step that does not divide": (change("0.1\n[dataset]", "0.3\n[dataset]"), "grid: ", "step 0.3", "2.0"),
    "step over the end": (change("step = 0.1", "step = 5.0"), "grid: ", "step 5.0", "2.0"),
    "step of nothing": (change("step = 0.1", "step = 0.0"), "grid.step", "0.0", "greater than 0"),
    "tiny step": (change("step = 0.1", "step = 1e-300"), "grid", "1e-300", ""),
    "step beyond all numbers": (
        change("duration = 2.0\nstep = 0.1", "duration = 1e300\nstep = 1e-300"),
        "grid",
        "1e-300",
        "",
    ),
    "one point": (change("step = 0.1", "points = 1"), "grid.points", "1", "greater than or equal to 2"),
    "more points than fit": (
        change("step = 0.1", "points = 1_000_000_000_000_000"),
        "grid",
        "1000000000000000",
        "",
    ),
    "unknown resampling": (
        change("step = 0.1", 'step = 0.1\nresample = "cubic"'),
        "grid.resample",
        "'cubic'",
        "linear",
    ),
    "unknown system": (change("van-der-pol", "lorentz"), "'lorentz'", "", "van-der-pol"),
    "unknown parameter": (change("mu = 0.1", "nu = 0.1"), "system.parameters.nu", "'nu'", "mu"),
    "parameter of a text": (change("mu = 0.1", 'mu = "0.1"'), "system.parameters.mu", "'0.1'", "number"),
    "unknown state": (change("x2 = [-5.0", "x3 = [-5.0"), "system.initial_state.x3", "'x3'", "x1, x2"),
    "range of one": (change("x2 = [-5.0, 5.0]", "x2 = [5.0]"), "system.initial_state.x2", "[5.0]", "2"),
    "range of three": (
        change("x2 = [-5.0, 5.0]", "x2 = [1.0, 2.0, 3.0]"),
        "system.initial_state.x2",
        "3.0]",
        "2",
    ),
    "range upside down": (
        change("x2 = [-5.0, 5.0]", "x2 = [5.0, -5.0]"),
        "system.initial_state.x2",
        "[5.0, -5.0]",
        "[low, high]",
    ),
    "range of texts": (
        change("x2 = [-5.0, 5.0]", 'x2 = ["a", "b"]'),
        "system.initial_state.x2",
        "'a'",
        "number",
    ),
    "infinite range": (
        change("x2 = [-5.0, 5.0]", "x2 = [-inf, 5.0]"),
        "system.initial_state.x2",
        "-inf",
        "finite",
    ),
    "range wider than numbers": (
        change("x2 = [-5.0, 5.0]", "x2 = [-1.7e308, 1.7e308]"),
        "system.initial_state.x2",
        "1.7e+308",
        "",
    ),
    "period for periods": (
        change("duration = 2.0", "duration = { period = 10 }"),
        "grid.duration.period: unknown key",
        "grid.duration.periods: missing",
        "known here are periods",
    ),
    "text for periods": (
        change("duration = 2.0", 'duration = { periods = "ten" }'),
        "grid.duration.periods: got",
        "'ten'",
        "number",
    ),
    "equations and momenta": (
        HAMILTONIAN + 'equations = { q = "p", p = "-q" }',
        "system.momenta",
        "got equations, too",
        "leave out momenta",
    ),
    "hamiltonian without momenta": (
        change('momenta = { q = "p" }', "", HAMILTONIAN),
        "system.momenta: missing",
        "",
        'momenta = { q = "p" }',
    ),
    "wrong name in momenta": (
        change('{ q = "p" }', '{ q = "P" }', HAMILTONIAN),
        "system.momenta",
        "q, P",
        "ranges for q, p",
    ),
    "wrong name in the hamiltonian": (
        change("q**2", "x**2", HAMILTONIAN),
        "hamiltonian: ",
        "'x'",
        "momenta names the states: q, p",
    ),
    "window longer than the grid": (
        GOOD + "[task]\nwindow = 30",
        "task.window: got 30",
        "21 samples",
        "expected 1 to 21",
    ),
    "window of a forecast": (
        GOOD + '[task]\nname = "forecast"\nwindow = 1',
        "task.window: got 1,",
        "",
        "expected 2 to 21",
    ),
    "parameter of a task that is not there": (
        GOOD + '[task]\nparameters = ["rho"]',
        "task.parameters",
        "'rho'",
        "it has mu",
    ),
    "parameter of a task twice": (
        GOOD + '[task]\nparameters = ["mu", "mu"]',
        "task.parameters",
        "mu, mu",
        "each name once",
    ),
    "patience without validation": (
        GOOD + "[training]\npatience = 3",
        "training.patience",
        "",
        "dataset.validation above 0",
    ),
    "buffer of less than two blocks": (
        GOOD + '[training]\nshuffle = "block"\nbuffer_bytes = 30_000',
        "training.buffer_bytes: got 30000",
        "33600 bytes",
        "smaller training.block_bytes",
    ),
    "unknown name in an equation": (change("-k*x", "-q*x", OWN), "equation of v", "'q'", "x, v, k, c"),
    "equation that runs code": (
        change("-k*x - c*v", "__import__('os')", OWN),
        "equation of v",
        "__import__",
        "functions",
    ),
    "broken equation": (change("-k*x - c*v", "-k*x -", OWN), "equation of v", "'-k*x -'", ""),
    "equation of a number": (change('"-k*x - c*v"', "3.0", OWN), "system.equations.v", "3.0", "string"),
    "no equations": (change('{ x = "v", v = "-k*x - c*v" }', "{}", OWN), "no equations", "", "each state"),
    "own equations without ranges": (
        change("initial_state = { x = [-1.0, 1.0], v = [-1.0, 1.0] }", "", OWN),
        "system.initial_state: missing",
        "",
        "x, v",
    ),
    "own equations with too few ranges": (change(", v = [-1.0, 1.0]", "", OWN), "initial_state", "x", "x, v"),
    "bad name of a state": (
        OWN.replace('x = "v", v = "-k*x', '"x y" = "v", v = "-k').replace("x = [", '"x y" = ['),
        "'x y'",
        "",
        "letter",
    ),
    "name of a variable of the file": (
        OWN.replace("x = ", "time = ").replace("k*x", "k*time"),
        "'time'",
        "",
        "another name",
    ),
    "unknown engine": (GOOD + '[engine]\nname = "euler"', "engine.name", "'euler'", "'scipy' or 'etdrk4'"),
    "unknown method": (GOOD + '[engine]\nmethod = "RK9"', "engine.method", "'RK9'", "DOP853"),
    "method of another engine": (
        GOOD + '[engine]\nname = "scipy"\nmethod = "taylor"',
        "taylor",
        "",
        "DOP853",
    ),
    "no tolerance": (GOOD + "[engine]\ntolerance = 0.0", "engine.tolerance", "0.0", "greater than 0"),
    "linear with heyoka": (
        change("step = 0.1", 'step = 0.1\nresample = "linear"') + '[engine]\nname = "heyoka"',
        "heyoka",
        "linear",
        "scipy",
    ),
    "unknown task": (GOOD + '[task]\nname = "foresee"', "task.name", "'foresee'", "'forecast'"),
    "unknown model": (GOOD + '[model]\nname = "rnn"', "model.name", "'rnn'", "'lstm' or 'gru'"),
    "no hidden units": (GOOD + "[model]\nhidden = 0", "model.hidden", "0", "greater than 0"),
    "empty layer": (GOOD + "[model]\nencoder = [64, 0]", "model.encoder.1", "0", "greater than 0"),
    "negative learning rate": (
        GOOD + "[training]\nlearning_rate = -1.0",
        "training.learning_rate",
        "-1.0",
        "greater",
    ),
    "no steps": (GOOD + "[training]\nsteps = 0", "training.steps", "0", "greater than 0"),
    "empty batches": (GOOD + "[training]\nbatch = 0", "training.batch", "0", "greater than 0"),
    "no rollouts": (GOOD + "[evaluation]\nrollouts = 0", "evaluation.rollouts", "0", "greater than 0"),
    "window of nothing": (GOOD + "[task]\nwindow = 0", "task.window", "0", "greater than 0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_what_it_got_and_what_is_right(tmp_path, case, time_limit):
    text, key, got, right = WRONG[case]
    path = tmp_path / "config.toml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with time_limit(10), pytest.raises(TrajstoreError) as caught:
        load_config(path)
    message = str(caught.value)
    for part in (str(path), key, got, right):
        assert part in message
    assert len(message) < 1000
    assert "Traceback" not in message


def test_all_that_is_wrong_is_named_at_once(load):
    with pytest.raises(ConfigError) as caught:
        load(change("duration = 2.0", 'duration = "2"').replace("train = 100", "trian = 100"))
    assert (
        len(re.findall("grid.duration|dataset.train: missing|dataset.trian: unknown", str(caught.value))) == 3
    )


@pytest.mark.parametrize("kind", ["folder", "unreadable"])
def test_a_path_that_holds_no_text_is_a_config_error(tmp_path, kind):
    path = tmp_path / "config.toml"
    path.mkdir()
    if kind == "unreadable":
        path = path / "below" / ("x" * 300)
    with pytest.raises(ConfigError, match="config"):
        load_config(path)


@pytest.mark.slow
@given(points=st.integers(2, 3000), duration=st.floats(1e-6, 1e6))
def test_a_step_that_divides_the_duration_gives_the_points_that_it_should(tmp_path_factory, points, duration):
    path = tmp_path_factory.getbasetemp() / "grid.toml"
    step = duration / (points - 1)
    path.write_text(
        f"[system]\nname='van-der-pol'\n[grid]\nduration={duration!r}\nstep={step!r}\n[dataset]\ntrain=1"
    )
    by_step = load_config(path).times
    np.testing.assert_array_equal(by_step, np.linspace(0.0, duration, points))


def test_step_and_points_that_say_the_same_are_the_same_dataset(load):
    by_points = load(change("step = 0.1", "points = 21"))
    by_step = load(GOOD)
    assert by_points.generation() == by_step.generation()


def recipe_hash(load, *overrides: str, text: str = GOOD) -> str:
    return json_hash(load(text, *overrides).recipe())


def test_sizes_and_learning_do_not_change_the_recipe_and_all_else_does(load):
    base = recipe_hash(load)
    for same in (
        "dataset.train=7",
        "dataset.test=9",
        "training.steps=3",
        "model.hidden=4",
        'engine.name="auto"',
    ):
        assert recipe_hash(load, same) == base
    others = {
        recipe_hash(load, other)
        for other in (
            "system.parameters.mu=0.2",
            "system.initial_state.x1=[-5.0, 4.0]",
            "grid.duration=4.0",
            "grid.step=0.2",
            'grid.resample="linear"',
            "dataset.seed=1",
            'dataset.dtype="float64"',
            "dataset.shard_rows=10",
            'dataset.compression="gzip"',
            'engine.name="scipy"',
            "engine.tolerance=1e-9",
            'system.time_unit="s"',
        )
    }
    assert len(others | {base}) == 13
    assert recipe_hash(load, text=OWN.replace("-k*x - c*v", "-k*x - 2*c*v")) != recipe_hash(load, text=OWN)


def test_the_resolved_config_leaves_nothing_open(load):
    generation = load(GOOD).generation()
    assert generation["engine"]["name"] in ("heyoka", "scipy")
    assert generation["engine"]["tolerance"] > 0
    assert generation["dataset"]["shard_rows"] > 0
    assert generation["grid"] == {"duration": 2.0, "points": 21, "resample": "dense"}
    assert generation["system"]["equations"] == {"x1": "x2", "x2": "mu*(1 - x1**2)*x2 - x1"}


@given(
    train=st.integers(1, 10**6),
    validation=st.integers(0, 1000),
    test=st.integers(0, 1000),
    size=st.integers(1000, 70_000),
)
def test_a_plan_has_every_row_in_one_shard(experiment, train, validation, test, size):
    sizes = {"train": train, "validation": validation, "test": test}
    plans = make_plan(experiment(dataset={**sizes, "shard_rows": size}))
    assert len({plan.file for plan in plans}) == len(plans)
    for split, total in sizes.items():
        own = [plan for plan in plans if plan.split == split]
        assert [plan.first_row for plan in own] == list(range(0, total, size))
        assert all(plan.rows == size for plan in own[:-1])
        assert sum(plan.rows for plan in own) == total
        assert [plan.file for plan in own] == [f"{split}-{index:05d}.h5" for index in range(len(own))]


def test_more_shards_than_may_be_are_refused_before_they_are_listed(experiment):
    with pytest.raises(FormatError, match=r"^5,000,002 shards .* choose larger shards"):
        make_plan(experiment(dataset={"train": 5_000_000, "validation": 1, "test": 1, "shard_rows": 1}))


@pytest.mark.parametrize("points", [2, 21, 10_000, 5_000_000])
def test_shards_stay_small_whatever_the_length_of_a_trajectory(experiment, points):
    config = experiment(grid={"duration": 2.0, "points": points})
    config = config.model_copy(update={"dataset": config.dataset.model_copy(update={"shard_rows": None})})
    row = points * 2 * 4
    assert 1 <= config.shard_rows <= 65_536
    assert config.shard_rows == 1 or config.shard_rows * row <= 64 << 20


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("system.equation=1", "equations"),
        ("dataste.train=1", "dataset"),
        ("training.step=1", "steps"),
        ('engine.name="heyoca"', "heyoka"),
        ('engine.method="RK54"', "RK45"),
        ('task.name="forcast"', "forecast"),
        ('model.name="lstn"', "lstm"),
        ('system.name="van-der-poll"', "van-der-pol"),
        ("system.parameters.mu1=1.0", "mu"),
        ('initial_states={ kind = "shel" }', "shell"),
    ],
)
def test_a_mistyped_name_is_told_what_was_meant(load, override, meant):
    with pytest.raises(TrajstoreError, match=rf"Did you mean {meant}\?"):
        load(GOOD, override)


def test_a_name_like_no_other_is_told_nothing(load):
    for name in ("qqq", "x" * 100_000):
        with pytest.raises(ConfigError) as caught:
            load(GOOD, f"dataset.{name}=1")
        assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("name", ["lambda", "in", "is", "None", "True", "async"])
def test_a_keyword_is_told_as_one(load, name):
    text = OWN.replace("c*v", f"{name}*v").replace("c = 0.1", f"{name} = 0.1")
    with pytest.raises(TrajstoreError, match=f"'{name}' is a keyword of Python"):
        load(text)


def test_a_date_is_one_of_toml_or_a_text(load):
    for date in ("2026-11-22", '"2026-11-22"'):
        assert load(GOOD, f"dataset.date={date}").dataset.date == "2026-11-22"
        assert load(f"{GOOD}date = {date}\n").dataset.date == "2026-11-22"
    for wrong in ("2026-11-22T10:00:00", "10:00:00", '"22.11.2026"', "2026"):
        with pytest.raises(ConfigError, match=r"dataset\.date"):
            load(f"{GOOD}date = {wrong}\n")


def test_a_byte_order_mark_is_passed_over_and_utf_16_is_told(tmp_path):
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_config(path).dataset.train == 100
    for coding in ("utf-16", "utf-16-be", "utf-32"):
        path.write_bytes(("" if coding[-1] in "62" else "\ufeff").encode(coding) + GOOD.encode(coding))
        with pytest.raises(ConfigError, match="is UTF-16; save it as UTF-8"):
            load_config(path)

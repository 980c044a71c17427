"""Derivatives that were measured are kept beside the states, in their order and unit, and fields are learned from
them; what does not go with the components is refused.
"""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import DataError, TrajectoryDataset, verify
from trajstore.pipeline import Columns, Import, evaluate, import_files, plot, train
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.config.file import load_learning

TIMES = np.arange(40) * 0.1
WHOLE = {"validation": 0.0, "test": 0.0}


def swinging(count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """States (N, T, 2) and slopes of x' = 2 v, v' = -2 x, in closed form."""
    size = np.linspace(0.3, 1.0, count)[:, None]
    angle = 2 * TIMES[None] + np.arange(count)[:, None]
    x, v = size * np.sin(angle), size * np.cos(angle)
    return np.stack([x, v], axis=-1), np.stack([2 * v, -2 * x], axis=-1)


def table(path, states, slopes, times=TIMES, header="run,time,x,v,dv,dx"):
    lines = [header]
    for run, (row, rates) in enumerate(zip(states, slopes, strict=True)):
        for t, (x, v), (dx, dv) in zip(times.tolist(), row.tolist(), rates.tolist(), strict=True):
            lines.append(f"{run},{t!r},{x!r},{v!r},{dv!r},{dx!r}")
    path.write_text("\n".join(lines).replace("nan", ""))
    return path


FIELD = """
[task]
name = "vector-field"
[model]
name = "hnn"
hidden = [8]
pairs = [["x", "v"]]
[training]
steps = 150
batch = 200
evaluate_every = 50
dtype = "float64"
learning_rate = 0.02
[evaluation]
rollouts = 1
rollout_lengths = 1
"""
NAMED = Columns(trajectory="run", derivatives={"v": "dv", "x": "dx"})


def stored(folder):
    found = TrajectoryDataset(folder, "train", dtype="float64")
    return (
        found.components,
        found.states(slice(None)).numpy(),
        found.states(slice(None), "derivative").numpy(),
    )


def test_slopes_of_a_table_are_those_of_their_components(tmp_path):
    states, slopes = swinging()
    path = table(tmp_path / "a.csv", states, slopes)
    made = import_files(path, tmp_path / "out", Import(NAMED, **WHOLE)).manifest
    components, found, rates = stored(tmp_path / "out")
    assert components == ("x", "v")
    np.testing.assert_array_equal(found, states)
    np.testing.assert_array_equal(rates, slopes)
    assert made.config["observation"] == {"derivative": True}
    assert verify(tmp_path / "out") == []
    # Without, nothing is kept that was not before.
    columns = Columns(trajectory="run", components={"x": "x", "v": "v"})
    plain = import_files(path, tmp_path / "plain", Import(columns, **WHOLE)).manifest
    assert "observation" not in plain.config


def test_a_component_may_be_the_derivative_of_another(tmp_path):
    states, slopes = swinging()
    path = table(tmp_path / "a.csv", states, slopes, header="run,time,x,v,a,w")
    columns = Columns(trajectory="run", components={"x": "x", "v": "v"}, derivatives={"x": "v", "v": "a"})
    import_files(path, tmp_path / "out", Import(columns, **WHOLE))
    np.testing.assert_array_equal(stored(tmp_path / "out")[2], np.stack([states[..., 1], slopes[..., 1]], -1))
    # So it is where no components are named, but for a column that is nothing.
    path.write_text("\n".join(line.rpartition(",")[0] for line in path.read_text().splitlines()))
    columns = Columns(trajectory="run", derivatives={"x": "v", "v": "a"})
    import_files(path, tmp_path / "same", Import(columns, **WHOLE))
    assert stored(tmp_path / "same")[0] == ("x", "v")


@pytest.mark.parametrize("whole", [True, False])
def test_slopes_of_arrays_lie_as_the_states_do(whole, tmp_path):
    states, slopes = swinging()
    if whole:
        arrays = {"state": states, "rate": slopes, "component": np.array(["x", "v"])}
        columns = Columns(derivatives={"rate": "rate"})
    else:
        arrays = {"x": states[..., 0], "v": states[..., 1], "dx": slopes[..., 0], "dv": slopes[..., 1]}
        columns = Columns(components={"x": "x", "v": "v"}, derivatives={"v": "dv", "x": "dx"})
    np.savez(tmp_path / "a.npz", time=TIMES, **arrays)
    import_files(tmp_path / "a.npz", tmp_path / "out", Import(columns, **WHOLE))
    np.testing.assert_array_equal(stored(tmp_path / "out")[2], slopes)


def test_of_some_components_of_an_array_slopes_are_those_of_these(tmp_path):
    states, slopes = swinging()
    np.savez(tmp_path / "a.npz", time=TIMES, state=states, rate=slopes)
    columns = Columns(components={"v": "x2"}, derivatives={"rate": "rate"})
    import_files(tmp_path / "a.npz", tmp_path / "out", Import(columns, **WHOLE))
    np.testing.assert_array_equal(stored(tmp_path / "out")[2], slopes[..., 1:])


@pytest.mark.slow
def test_what_is_exported_comes_back_with_its_slopes(tmp_path):
    states, slopes = swinging()
    import_files(table(tmp_path / "a.csv", states, slopes), tmp_path / "out", Import(NAMED, **WHOLE))
    again = {
        "csv": Columns(derivatives={"x": "derivative:x", "v": "derivative:v"}),
        "npz": Columns(derivatives={"derivative": "derivative"}),
        "netcdf": Columns(derivatives={"derivative": "derivative"}),
    }
    for form, columns in again.items():
        out = tmp_path / form
        assert (
            CliRunner()
            .invoke(main, ["export", str(tmp_path / "out"), "--format", form, "--out", str(out)])
            .exit_code
            == 0
        )
        (file,) = out.glob("train.*")
        import_files(file, tmp_path / f"{form}-again", Import(columns, **WHOLE))
        np.testing.assert_array_equal(stored(tmp_path / f"{form}-again")[2], slopes)


def test_slopes_go_with_the_unit_of_the_times(tmp_path):
    states, slopes = swinging()
    path = table(tmp_path / "a.csv", states, slopes / 1000, TIMES * 1000, header="run,time [ms],x,v,dv,dx")
    import_files(path, tmp_path / "out", Import(NAMED, time_unit="s", **WHOLE))
    np.testing.assert_allclose(stored(tmp_path / "out")[2], slopes, rtol=1e-14)


def test_slopes_are_resampled_as_states_are(tmp_path):
    states, slopes = swinging()
    path = table(tmp_path / "a.csv", states, slopes)
    import_files(path, tmp_path / "out", Import(NAMED, resample=0.05, **WHOLE))
    _, found, rates = stored(tmp_path / "out")
    np.testing.assert_allclose(rates[..., 0], 2 * found[..., 1], atol=1e-10)
    assert found.shape[1] == 79


def test_a_row_where_a_slope_is_missing_is_missing(tmp_path):
    states, slopes = swinging()
    slopes[2, 7, 1] = np.nan
    made = import_files(table(tmp_path / "a.csv", states, slopes), tmp_path / "out", Import(NAMED, **WHOLE))
    assert made.manifest.splits["train"].failed == 1
    assert len(stored(tmp_path / "out")[1]) == 5
    assert verify(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("derivatives", "message"),
    [
        ({"x": "dx"}, "names those of x; expected one of each component, x, v"),
        ({"x": "dx", "v": "dv", "w": "dv"}, "expected one of each component"),
        ({"x": "dx", "v": "rate"}, "no column 'rate'"),
    ],
)
def test_slopes_that_do_not_go_with_the_components_are_refused(derivatives, message, tmp_path):
    path = table(tmp_path / "a.csv", *swinging())
    columns = Columns(trajectory="run", components={"x": "x", "v": "v"}, derivatives=derivatives)
    with pytest.raises(DataError, match=message):
        import_files(path, tmp_path / "out", Import(columns))


def test_arrays_of_slopes_of_another_shape_are_refused(tmp_path):
    states, slopes = swinging()
    np.savez(tmp_path / "a.npz", time=TIMES, state=states, rate=slopes[:, :-1], more=slopes)
    for named, message in (
        ({"rate": "rate"}, "expected that of the states"),
        ({"x1": "rate", "x2": "more"}, "one array of all"),
    ):
        with pytest.raises(DataError, match=message):
            import_files(tmp_path / "a.npz", tmp_path / "out", Import(Columns(derivatives=named)))


def test_slopes_that_the_type_does_not_hold_are_refused(tmp_path):
    states, slopes = swinging()
    for value, message in (
        (1e-50, "derivative of x of trajectory 0 is 1e-50"),
        (1e50, "more than float32 holds"),
    ):
        slopes[0, 0, 0] = value
        with pytest.raises(DataError, match=message):
            import_files(
                table(tmp_path / "a.csv", states, slopes), tmp_path / "out", Import(NAMED, dtype="float32")
            )


@pytest.mark.slow
def test_a_field_is_learned_from_measured_slopes_and_judged_by_them_alone(tmp_path):
    path = table(tmp_path / "a.csv", *swinging(10))
    arguments = ["--trajectory", "run", "--derivatives", "x=dx,v=dv", "--out", str(tmp_path / "data")]
    result = CliRunner().invoke(main, ["import", str(path), *arguments])
    assert result.exit_code == 0, result.output
    assert "dx/dt: x = dx, v = dv" in result.output
    config = tmp_path / "field.toml"
    config.write_text(FIELD)
    train(load_learning(config, ()), tmp_path / "data", tmp_path / "run")
    metrics = evaluate(tmp_path / "run")
    assert metrics["test"]["mse"] < 0.02
    assert "field_mse" not in metrics["test"]
    assert "hamiltonian_error" not in metrics["test"]
    assert metrics["rollout"]["nrmse"] < 0.2
    names = {figure.name for figure in plot(tmp_path / "run")}
    assert {"hamiltonian.png", "portraits.png"} <= names
    assert "energy.png" not in names


def test_without_slopes_the_message_says_how_to_import_them(tmp_path):
    path = table(tmp_path / "a.csv", *swinging(10))
    columns = Columns(trajectory="run", components={"x": "x", "v": "v"})
    import_files(path, tmp_path / "data", Import(columns))
    config = tmp_path / "a.toml"
    config.write_text('[task]\nname = "vector-field"\n[model]\nname = "mlp"\n')
    result = CliRunner().invoke(
        main, ["train", str(config), "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    )
    assert result.exit_code == 2
    assert "--derivatives" in " ".join(result.output.split())
    assert json.loads((tmp_path / "data/manifest.json").read_text())["config"]["system"]["name"] == "measured"


@pytest.mark.parametrize(
    "derivatives",
    [{"x": "dx", "v": "dv"}, {"x": "dx [m/s]", "v": "dv"}, {"x [m]": "dx [m/s]", "v [m/s]": "dv [m/s2]"}],
)
def test_derivatives_of_columns_with_units_go_by_either_name(tmp_path, derivatives):
    states, slopes = swinging()
    header = "run,time [s],x [m],v [m/s],dv [m/s2],dx [m/s]"
    file = table(tmp_path / "a.csv", states, slopes, header=header)
    import_files(file, tmp_path / "data", Import(Columns(trajectory="run", derivatives=derivatives), **WHOLE))
    components, found, rates = stored(tmp_path / "data")[:3]
    assert list(components) == ["x", "v"]
    np.testing.assert_array_equal(found, states)
    np.testing.assert_array_equal(rates, slopes)


def test_a_velocity_with_a_unit_may_be_a_component_and_a_derivative(tmp_path):
    states, slopes = swinging(1)
    lines = ["time [s],x [m],v [m/s],a [m/s2]"]
    for t, (x, v), (_, a) in zip(TIMES.tolist(), states[0].tolist(), slopes[0].tolist(), strict=True):
        lines.append(f"{t!r},{x!r},{v!r},{a!r}")
    (tmp_path / "a.csv").write_text("\n".join(lines))
    columns = Columns(derivatives={"x": "v", "v": "a"})
    import_files(tmp_path / "a.csv", tmp_path / "data", Import(columns, **WHOLE))
    _, found, rates = stored(tmp_path / "data")[:3]
    np.testing.assert_array_equal(rates[..., 0], found[..., 1])
    np.testing.assert_array_equal(rates[0, :, 1], slopes[0, :, 1])

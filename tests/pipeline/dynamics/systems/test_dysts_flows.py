"""Every flow of dysts that is plain equations is a system of ours, and needs the package no longer once stored."""

import json
import sys
import warnings
from pathlib import Path

import forked
import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import TrajstoreError, load_manifest
from trajstore.pipeline import EngineSettings, System, get_system
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.dynamics.systems import dysts_flows
from trajstore.pipeline.study.file import load_study
from trajstore.pipeline.study.plan import make_plan

CONFIG = """
[system]
name = "dysts:Lorenz"
parameters = { rho = 20.0 }
[grid]
duration = 1.5
points = 16
[dataset]
train = 6
dtype = "float64"
"""


@pytest.fixture(scope="module")
def flows():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("dysts")
        from dysts import flows
    return flows


@pytest.mark.slow
def test_all_but_the_two_that_choose_by_a_state_are_converted(flows):
    systems = dysts_flows.convertible_flows()
    assert len(systems) >= 125
    left = set(dysts_flows.flow_names()) - {system.name.removeprefix("dysts:") for system in systems}
    assert left == set(dysts_flows.UNWRITABLE)
    for name in left:
        with pytest.raises(TrajstoreError, match=f"dysts:{name}: cannot be written as expressions"):
            get_system(f"dysts:{name}")
    with pytest.raises(TrajstoreError, match="no such flow without delay"):
        get_system("dysts:MackeyGlass")


def test_all_are_for_the_fast_engine(flows):
    engines = {
        system.name: EngineSettings().resolve(system=system).name
        for system in dysts_flows.convertible_flows()
    }
    assert set(engines.values()) == {"heyoka"}


@pytest.mark.slow
def test_slopes_are_those_of_dysts_itself(flows):
    generator = np.random.default_rng(0)
    for system in dysts_flows.convertible_flows()[::3]:
        flow = getattr(flows, system.name.removeprefix("dysts:"))()
        field = system.function(list(system.vector_field), "numpy")
        box = np.array(list(system.initial_state.values()))
        for state in generator.uniform(*box.T, (5, len(box))):
            with np.errstate(all="ignore"):
                theirs = np.ravel(np.array(flow.rhs(state, 0.7), dtype=float))
            ours = np.array(field(0.7, state, system.defaults), dtype=float)
            scale = 1e-10 * (1 + np.abs(theirs).max())
            np.testing.assert_allclose(ours, theirs, atol=scale, err_msg=system.name, equal_nan=True)


def test_what_dysts_knows_of_a_flow_is_taken_over(flows):
    for name in ("Lorenz", "Rossler", "Torus"):
        flow, system = getattr(flows, name)(), get_system(f"dysts:{name}")
        assert (system.period, system.lyapunov) == (flow.period, flow.maximum_lyapunov_estimated)
        middle = np.array(list(system.initial_state.values())).mean(axis=1)
        np.testing.assert_allclose(middle, flow.ic, rtol=1e-6)
        assert {key: p.value for key, p in system.parameters.items()} == pytest.approx(flow.params)
        assert System.from_dict(json.loads(json.dumps(system.to_dict()))) == system


def test_parameters_that_no_equation_mentions_are_left_out(flows):
    for system in dysts_flows.convertible_flows():
        mentioned = {str(s) for expression in system.vector_field for s in expression.free_symbols}
        assert set(system.parameters) <= mentioned, system.name


@pytest.mark.slow
def test_a_dataset_of_a_flow_is_read_and_integrated_again_without_dysts(flows, tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG)
    done = CliRunner().invoke(main, ["generate", str(tmp_path / "config.toml"), "--out", str(tmp_path / "d")])
    assert done.exit_code == 0, done.output
    stored = load_manifest(tmp_path / "d").system
    assert stored["equations"]["z"] == "-beta*z + x*y"
    assert stored["parameters"]["rho"]["value"] == 20.0
    code = (
        "import sys; sys.modules['dysts'] = None\n"
        "from pathlib import Path\n"
        "from trajstore.pipeline.audit.reintegrate import reintegrate\n"
        "again = reintegrate(Path(sys.argv[1]), 3); assert again.rows == 3 and not again.problems, again"
    )
    assert forked.run([sys.executable, "-c", code, tmp_path / "d"]).returncode == 0


def test_the_command_lists_the_flows(flows):
    lines = CliRunner().invoke(main, ["systems", "--dysts"]).output.splitlines()
    assert [line.split()[0] for line in lines] == [system.name for system in dysts_flows.convertible_flows()]
    lorenz = next(line for line in lines if line.startswith("dysts:Lorenz "))
    assert "x, y, z" in lorenz
    assert "1.501" in lorenz
    assert "rho*x" in CliRunner().invoke(main, ["systems", "dysts:Lorenz"]).output


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dysts", None)
    dysts_flows._module.cache_clear()
    dysts_flows.flow_system.cache_clear()
    dysts_flows.flow_names.cache_clear()
    for arguments in (["systems", "dysts:Lorenz"], ["systems", "--dysts"]):
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 2
        assert "pip install 'dysts>=" in done.output


@pytest.mark.slow
def test_the_study_of_all_flows_names_each_of_them(flows, tmp_path):
    path = Path(__file__).parents[4] / "studies/dysts.toml"
    names = {f"dysts:{name}" for name in dysts_flows.flow_names()} - {
        f"dysts:{name}" for name in dysts_flows.UNWRITABLE
    }
    study = load_study(path)
    assert set(study.vary[0].values) == names
    plan = make_plan(study, path, tmp_path, quick=False)
    # Exact, and with noise.
    assert len(plan.datasets) == 2 * len(names)

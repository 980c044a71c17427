"""A small figure of every kind of system."""

import matplotlib.image
import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import TrajstoreError
from trajstore.pipeline import System, get_system
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.draw.system import draw_system

pytestmark = pytest.mark.slow

FIELD = ("kuramoto-sivashinsky", 32)


@pytest.mark.parametrize(
    ("name", "panels"),
    [
        ("pendulum", 1),
        ("duffing", 1),
        ("henon-heiles", 2),
        ("three-body", 1),
        ("lorenz", 4),
        ("kuramoto-sivashinsky", 2),
        ("mackey-glass", 2),
    ],
)
def test_the_panels_follow_from_the_kind_of_system(name, panels):
    figure = draw_system(get_system(name))
    assert len(figure.axes) == panels
    assert figure.get_suptitle().startswith(name)
    for axes in figure.axes:
        assert axes.has_data()


def test_a_flow_field_is_drawn_under_the_trajectories_of_an_autonomous_planar_system():
    flow, driven = (draw_system(get_system(name)).axes[0] for name in ("pendulum", "duffing"))
    assert flow.collections
    assert not driven.collections
    assert (flow.get_xlabel(), flow.get_ylabel()) == ("$q$", "$p$")


def test_a_field_is_drawn_over_its_positions_and_other_components_over_their_numbers():
    field, sites = (draw_system(get_system(name, size)).axes[0] for name, size in (FIELD, ("lorenz-96", 12)))
    assert field.get_ylabel() == "position $x$, length 22"
    edges = field.collections[0].get_coordinates()[:, 0, 1]
    np.testing.assert_allclose((edges[1:] + edges[:-1]) / 2, 22 / 32 * np.arange(32), atol=1e-9)
    assert sites.get_ylabel() == "component"


def test_a_system_of_one_component_is_drawn_over_time():
    system = System("logistic", {"x": "x*(1 - x)"}, {}, {"x": (0.1, 2.0)}, period=5.0)
    (axes,) = draw_system(system).axes
    assert axes.get_xlabel() == "$t$"
    assert len(axes.lines) == 6


def test_the_command_writes_a_png(tmp_path):
    done = CliRunner().invoke(main, ["systems", "van-der-pol", "--plot", str(tmp_path / "new" / "p.png")])
    assert done.exit_code == 0, done.output
    height, width, _ = matplotlib.image.imread(tmp_path / "new" / "p.png").shape
    assert 500 < height < width < 2000


def test_a_system_whose_trajectories_all_diverge_is_an_error():
    with pytest.raises(TrajstoreError, match="no trajectory from its box"):
        draw_system(System("away", {"x": "x**2"}, {}, {"x": (1.0, 2.0)}, period=5.0))

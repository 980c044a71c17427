"""A system -> one small figure: its flow in the plane, its orbits in space, or a field over time."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...data.base.errors import TrajstoreError
from ...data.shard.schema import Status
from ..describe.phrases import line
from ..dynamics.engines import EngineSettings, make_engine
from ..dynamics.initial_states import InitialStates
from ..dynamics.systems import System
from ..dynamics.systems.delay import DelaySystem
from .delay_embedding import embed, label_embedding
from .flow import draw_streamlines
from .images import colours, places, value_label
from .style import (
    BLUE,
    GREEN,
    LONGEST_NAME,
    ORANGE,
    PURPLE,
    SKY,
    STYLE,
    VERMILION,
    alike,
    equal_scales,
    new_figure,
    plain,
    save_figure,
    symbol,
)

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
SAMPLES_A_PERIOD = 200
# In periods: of orbits in the plane and of energy-conserving ones, and of attractors after a transient.
SHORT, LONG, TRANSIENT = 3, 40, 40
# Systems with more components are drawn as an image over time.
MOST_COMPONENTS = 6
IMAGE_PERIODS, IMAGE_SAMPLES = 15, 600
# In a period.
FIELD_STEPS = 40
# Of a delay equation.
SAMPLES_A_DELAY, SHOWN_PERIODS = 50, 10


def plot_system(system: System, path: str | Path) -> None:
    """Write the figure as a PNG. Raises TrajstoreError if no trajectory from the default box is sound."""
    with mpl.rc_context(STYLE), np.errstate(all="ignore"):
        save_figure(draw_system(system), Path(path))


def draw_system(system: System) -> Figure:
    """Trajectories from the default box of initial states, at the default parameters."""
    dimension = len(system.states)
    planes = _planes(system)
    if planes:
        figure = _draw_pairs(system, planes)
    elif dimension > MOST_COMPONENTS or system.spatial:
        figure = _draw_image(system)
    elif dimension == 1:
        figure = _draw_delayed(system) if isinstance(system, DelaySystem) else _draw_line(system)
    elif dimension == 2:
        figure = _draw_plane(system)
    else:
        figure = _draw_space(system)
    values = [
        f"{symbol(name)} = {parameter.value:.4g}"
        for name, parameter in system.parameters.items()
        if not np.isnan(parameter.value)
    ]
    # Of a long list the names say more than numbers that do not fit.
    shown = f": {', '.join(values)}" if 0 < len(values) <= 5 else ""
    figure.suptitle(plain(line(system.name, LONGEST_NAME)) + shown, x=0.02, ha="left", fontsize=10)
    return figure


def _solve(
    system: System, rows: int, periods: float, samples: int, transient: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Times (T,) and the sound trajectories (n, T, D) of `rows` from the default box, after a transient."""
    unit = system.period or 1.0
    times = transient * unit + np.linspace(0.0, periods * unit, samples)
    # The first sample is the start; where a transient is dropped, it comes before the figure.
    grid = times if transient == 0 else np.concatenate([[0.0], times])
    starts = InitialStates().rows(system, 0, "train", 0, rows)
    parameters = system.default_rows(rows)
    # What a picture shows, a field's engine finds with large steps, and many times faster.
    settings = EngineSettings(max_step=unit / FIELD_STEPS if system.spatial else None)
    solution = make_engine(system, settings, rows=rows).solve(starts, parameters, grid)
    sound = solution.states[solution.status == Status.OK]
    if not len(sound):
        raise TrajstoreError(
            f"system {system.name!r}: no trajectory from its box of initial states is sound up to t = {grid[-1]:g}"
        )
    return times, sound[:, len(grid) - len(times) :]


def _planes(system: System) -> list[tuple[str, str]]:
    """Pairs of states that belong together: each body's place in the plane, or each coordinate and its momentum."""
    states = system.states
    bodies = [(name, f"qy{name[2:]}") for name in states if name.startswith("qx")]
    if len(bodies) > 1 and all(y in states for _, y in bodies):
        return bodies
    half = len(states) // 2
    if system.hamiltonian is None or len(states) % 2 or half < 2:
        return []
    return list(zip(states[:half], states[half:], strict=True))


def _draw_line(system: System) -> Figure:
    figure = new_figure(5.0, 3.4)
    axes = figure.add_subplot()
    times, states = _solve(system, len(COLOURS), 2, 2 * SAMPLES_A_PERIOD)
    for colour, path in zip(COLOURS, states, strict=False):
        axes.plot(times, path[:, 0], color=colour, lw=1.0)
    axes.set(xlabel="$t$", ylabel=symbol(system.states[0]))
    return figure


def _draw_delayed(system: DelaySystem) -> Figure:
    """One trajectory on its attractor, beside itself one delay ago, and its beginning over time."""
    delay = float(system.delay_values(system.default_rows(1))[0, 0])
    unit, step = system.period or delay, delay / SAMPLES_A_DELAY
    samples = round(LONG * unit / step) + 1
    times, states = _solve(system, 1, (samples - 1) * step / unit, samples, TRANSIENT)
    figure = new_figure(8.4, 3.9)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.2))
    left.plot(*embed(states[0, :, 0], SAMPLES_A_DELAY), color=BLUE, lw=0.5)
    equal_scales(left, "box")
    name = symbol(system.states[0])
    label_embedding(left, name.strip("$"), times, SAMPLES_A_DELAY)
    first = round(SHOWN_PERIODS * unit / step)
    right.plot(times[:first], states[0, :first, 0], color=BLUE, lw=1.0)
    right.set(xlabel="$t$", ylabel=name)
    right.margins(x=0.01)
    return figure


def _draw_plane(system: System) -> Figure:
    figure = new_figure(5.0, 4.4)
    axes = figure.add_subplot()
    _, states = _solve(system, len(COLOURS), SHORT, SHORT * SAMPLES_A_PERIOD)
    _draw_paths(axes, states)
    if system.autonomous and system.ordinary:
        # Over what the axes show.
        draw_streamlines(axes, system, *np.transpose([axes.get_xlim(), axes.get_ylim()]))
    equal_scales(axes, "box")
    axes.set(xlabel=symbol(system.states[0]), ylabel=symbol(system.states[1]))
    return figure


def _draw_pairs(system: System, planes: list[tuple[str, str]]) -> Figure:
    """Bodies in one panel, one of their orbits; otherwise a panel a plane."""
    bodies = planes[0][0].startswith("qx")
    _, states = _solve(system, 1 if bodies else 3, SHORT, SHORT * SAMPLES_A_PERIOD)
    columns = {name: number for number, name in enumerate(system.states)}
    figure = new_figure(4.6, 4.4) if bodies else new_figure(3.6 * len(planes), 3.6)
    panels = figure.subplots(1, 1 if bodies else len(planes), squeeze=False)[0]
    if bodies:
        for colour, pair in zip(COLOURS, planes, strict=False):
            path = states[0][:, [columns[name] for name in pair]]
            panels[0].plot(*path.T, color=colour, lw=1.0)
            panels[0].plot(*path[-1], "o", color=colour, ms=7)
        panels[0].set(xlabel="$q_x$", ylabel="$q_y$", aspect="equal")
        return figure
    for axes, pair in zip(panels, planes, strict=True):
        _draw_paths(axes, states[:, :, [columns[name] for name in pair]])
        equal_scales(axes, "box")
        axes.set(xlabel=symbol(pair[0]), ylabel=symbol(pair[1]))
    return figure


def _draw_space(system: System) -> Figure:
    """One trajectory on its attractor: the first three components in space, and each two of them."""
    _, states = _solve(system, 8, LONG, LONG * SAMPLES_A_PERIOD, TRANSIENT)
    path = states[0]
    figure = new_figure(7.6, 4.6)
    space, *panels = figure.subplot_mosaic(
        [["space", "space", "01"], ["space", "space", "02"], ["space", "space", "12"]],
        per_subplot_kw={"space": {"projection": "3d"}},
    ).values()
    space.plot(*path[:, :3].T, color=BLUE, lw=0.5)
    widths = np.ptp(path[:, :3], axis=0)
    if alike(widths.min(), widths.max()):
        space.set_aspect("equal")
    names = [symbol(name) for name in system.states[:3]]
    space.set(xlabel=names[0], ylabel=names[1], zlabel=names[2])
    for axes, (one, other) in zip(panels, ((0, 1), (0, 2), (1, 2)), strict=True):
        axes.plot(path[:, one], path[:, other], color=BLUE, lw=0.4)
        axes.locator_params(nbins=4)
        equal_scales(axes, "box")
        axes.set(xlabel=names[one], ylabel=names[other])
    if len(system.states) > len(names):
        space.set_title(f"the first three of {len(system.states)} components", loc="left", fontsize=9)
    return figure


def _draw_image(system: System) -> Figure:
    figure = new_figure(6.4, 3.4)
    axes = figure.add_subplot()
    times, states = _solve(system, 1, IMAGE_PERIODS, IMAGE_SAMPLES, TRANSIENT)
    where, label = places(system, states.shape[2])
    low, high = float(states.min()), float(states.max())
    image = axes.pcolormesh(
        times, where, states[0].T, **colours(low, high), shading="nearest", rasterized=True
    )
    axes.set(xlabel="$t$", ylabel=label)
    figure.colorbar(image, ax=axes, label=value_label(system), pad=0.02)
    return figure


def _draw_paths(axes: Axes, states: np.ndarray) -> None:
    for colour, path in zip(COLOURS, states, strict=False):
        axes.plot(*path.T, color=colour, lw=1.0)
        axes.plot(*path[0], "o", color=colour, ms=3.5)

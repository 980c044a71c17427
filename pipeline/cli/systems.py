"""The command that shows what systems there are."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common import PATH, command, json_option, new_console, print_json

if TYPE_CHECKING:
    from ..dynamics.systems import System

# Of a system with more, how many there are is shown.
SHOWN_STATES = 4


@click.command("systems")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--dysts", "flows", is_flag=True, help="List the flows of the package dysts instead.")
@click.option(
    "--plot", "figure", type=PATH, metavar="FILE", help="Draw a small phase portrait of one system."
)
@click.option("--check", "checks", is_flag=True, help="Solve each in two independent ways; 1 if one is off.")
@click.option("--lyapunov", "exponents", is_flag=True, help="Measure the Lyapunov exponents of each.")
@json_option
@command
def systems_command(
    names: tuple[str, ...], flows: bool, figure: Path | None, checks: bool, exponents: bool, as_json: bool
) -> None:
    """List the systems of the library, or show those named; dysts:NAME is a flow of the package dysts.

    One of --plot, --check and --lyapunov at a time; --json goes with the last two.
    """
    from ..dynamics.systems import LIBRARY, get_system
    from ..dynamics.systems.dysts_flows import convertible_flows
    from .printing import print_spectrum, print_system

    _check_options(names, flows, figure, checks, exponents, as_json)
    listed = convertible_flows() if flows else [get_system(name) for name in names or LIBRARY]
    console = new_console(stderr=False)
    one = len(names) == 1
    if checks:
        from ..dynamics.check import check_system, print_checks

        done = (check_system(system) for system in listed)
        if as_json:
            kept = list(done)
            _print_json([check.to_dict() for check in kept], one)
            passed = all(check.passed for check in kept)
        else:
            passed = print_checks(console, done)
        if not passed:
            sys.exit(1)
    elif exponents:
        from ..dynamics.lyapunov import spectrum

        if as_json:
            _print_json([{"name": system.name, **spectrum(system).to_dict()} for system in listed], one)
            return
        for system in listed:
            print_spectrum(console, system, spectrum(system))
    elif as_json:
        _print_json([{**system.to_dict(), "latex": system.latex()} for system in listed], one)
    elif figure is not None:
        from ..draw.system import plot_system

        plot_system(listed[0], figure)
        click.echo(str(figure))
    elif names:
        for system in listed:
            print_system(console, system)
    else:
        _list(listed)


def _check_options(
    names: tuple[str, ...], flows: bool, figure: Path | None, checks: bool, exponents: bool, as_json: bool
) -> None:
    """Raises UsageError where options do not go together: none is left out in silence."""
    asked = {"--check": checks, "--lyapunov": exponents, "--plot": figure is not None}
    if sum(asked.values()) > 1:
        given = " and ".join(option for option, wanted in asked.items() if wanted)
        raise click.UsageError(f"{given} do not go together; run the command once for each.")
    if figure is not None and as_json:
        raise click.UsageError("--json and --plot do not go together; run the command once for each.")
    if flows and names:
        raise click.UsageError(
            f"--dysts lists all flows; for one of them leave it out and name dysts:{names[0]}."
        )
    if (figure is not None and len(names) != 1) or (exponents and not names):
        raise click.UsageError("--plot and --lyapunov need the NAME of a system, --plot of one alone.")


def _print_json(facts: list[dict[str, Any]], one: bool) -> None:
    """A list, or what is asked of one system alone."""
    print_json(facts[0] if one else facts)


def _list(systems: list["System"]) -> None:
    """A line a system: name, states, natural period, what it is."""
    width = 2 + max(len(system.name) for system in systems)
    for system in systems:
        few = ", ".join(system.states)
        if len(system.states) > SHOWN_STATES:
            few = f"{len(system.states)} states"
        period = f"{system.period:.4g}" if system.period else "-"
        click.echo(f"{system.name:<{width}} {few:<16} {period:>9}  {system.description}")

"""Chaotic flows, at the values of their parameters that the literature knows best."""

from functools import partial

from .naming import InvalidSystemError
from .parameter import Parameter
from .system import System


def lorenz_96(name: str, size: int = 40) -> System:
    """Lorenz's ring of `size` sites. Raises InvalidSystemError if they are fewer than four."""
    if size < 4:
        raise InvalidSystemError(f"system {name!r} has size {size}; expected at least 4 sites")
    states = [f"x{site}" for site in range(1, size + 1)]
    equations = {
        states[
            site
        ]: f"({states[(site + 1) % size]} - {states[site - 2]})*{states[site - 1]} - {states[site]} + f"
        for site in range(size)
    }
    return System(
        name=name,
        equations=equations,
        parameters={"f": Parameter(8.0, meaning="force")},
        initial_state=dict.fromkeys(states, (-5.0, 10.0)),
        description="A ring of sites that advect, damp and are forced, as the weather along a latitude.",
        reference="Lorenz (1996), Predictability: a problem partly solved, doi:10.1017/CBO9780511617652.004",
        period=1.63,
        lyapunov=1.69,
    )


CHAOTIC = (
    partial(
        System,
        name="lorenz",
        equations={"x": "sigma*(y - x)", "y": "x*(rho - z) - y", "z": "x*y - beta*z"},
        parameters={
            "sigma": Parameter(10.0, meaning="Prandtl number"),
            "rho": Parameter(28.0, meaning="Rayleigh number by its critical value"),
            "beta": Parameter(8 / 3, meaning="shape of the convection cell"),
        },
        initial_state={"x": (-20.0, 20.0), "y": (-25.0, 25.0), "z": (0.0, 45.0)},
        description="Convection in a layer heated from below, in three modes.",
        reference="Lorenz (1963), Deterministic nonperiodic flow, "
        "doi:10.1175/1520-0469(1963)020<0130:DNF>2.0.CO;2",
        period=0.75,
        lyapunov=0.905,
    ),
    partial(
        System,
        name="roessler",
        equations={"x": "-y - z", "y": "x + a*y", "z": "b + z*(x - c)"},
        parameters={"a": Parameter(0.2), "b": Parameter(0.2), "c": Parameter(5.7)},
        initial_state={"x": (-8.0, 10.0), "y": (-8.0, 8.0), "z": (0.0, 10.0)},
        description="One band that stretches and folds.",
        reference="Roessler (1976), An equation for continuous chaos, doi:10.1016/0375-9601(76)90101-8",
        period=5.88,
        lyapunov=0.0715,
    ),
    partial(lorenz_96, name="lorenz-96", size=40),
    partial(
        System,
        name="chua",
        equations={"x": "alpha*(y - c*x**3 - d*x)", "y": "x - y + z", "z": "-beta*y"},
        parameters={
            "alpha": Parameter(10.0),
            "beta": Parameter(16.0),
            "c": Parameter(1.0, meaning="cubic part of the diode"),
            "d": Parameter(-0.143, meaning="linear part of the diode"),
        },
        initial_state={"x": (-0.4, 0.4), "y": (-0.1, 0.1), "z": (-0.5, 0.5)},
        description="An electronic circuit with a diode of cubic characteristic: a double scroll.",
        reference="Huang, Pivka, Wu, Franz (1996), Chua's equation with cubic nonlinearity, "
        "doi:10.1142/S0218127496001454",
        period=1.7,
        lyapunov=0.3,
    ),
    partial(
        System,
        name="thomas",
        equations={"x": "sin(y) - b*x", "y": "sin(z) - b*y", "z": "sin(x) - b*z"},
        parameters={"b": Parameter(0.208186, meaning="damping")},
        initial_state={"x": (-3.0, 3.0), "y": (-3.0, 3.0), "z": (-3.0, 3.0)},
        description="A particle in a force of three sines, cyclically symmetric.",
        reference="Thomas (1999), Deterministic chaos seen in terms of feedback circuits, "
        "doi:10.1142/S0218127499001383",
        period=32.0,
        lyapunov=0.006,
    ),
    partial(
        System,
        name="rabinovich-fabrikant",
        equations={
            "x": "y*(z - 1 + x**2) + gamma*x",
            "y": "x*(3*z + 1 - x**2) + gamma*y",
            "z": "-2*z*(alpha + x*y)",
        },
        parameters={"alpha": Parameter(1.1), "gamma": Parameter(0.87)},
        initial_state={"x": (-1.1, -0.9), "y": (-0.1, 0.1), "z": (0.4, 0.6)},
        description="Waves in a medium out of equilibrium; its basin is small and has holes.",
        reference="Rabinovich, Fabrikant (1979), JETP 50, 311; Danca, Chen (2004), doi:10.1142/S0218127404011430",
        period=2.42,
        lyapunov=0.197,
    ),
    partial(
        System,
        name="halvorsen",
        equations={
            "x": "-a*x - 4*y - 4*z - y**2",
            "y": "-a*y - 4*z - 4*x - z**2",
            "z": "-a*z - 4*x - 4*y - x**2",
        },
        parameters={"a": Parameter(1.4, meaning="damping")},
        initial_state={"x": (-6.0, 2.0), "y": (-6.0, 2.0), "z": (-6.0, 2.0)},
        description="Three quadratic feedbacks, cyclically symmetric.",
        reference="Sprott (2003), Chaos and time-series analysis, appendix A, isbn:978-0-19-850840-3",
        period=1.5,
        lyapunov=0.676,
    ),
    partial(
        System,
        name="hyperchaotic-roessler",
        equations={"x": "-y - z", "y": "x + a*y + w", "z": "b + x*z", "w": "-c*z + d*w"},
        parameters={"a": Parameter(0.25), "b": Parameter(3.0), "c": Parameter(0.5), "d": Parameter(0.05)},
        initial_state={"x": (-22.0, -18.0), "y": (-2.0, 2.0), "z": (0.0, 0.5), "w": (14.0, 16.0)},
        description="Roessler's flow with a fourth state and two directions of growth.",
        reference="Roessler (1979), An equation for hyperchaos, doi:10.1016/0375-9601(79)90150-6",
        period=6.67,
        lyapunov=0.112,
    ),
)

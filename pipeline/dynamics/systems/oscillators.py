"""Oscillators: from circles to limit cycles."""

from functools import partial
from math import pi

from .parameter import Parameter
from .system import System

# A system is built when it is asked for: parsing all takes half a second.

OSCILLATORS = (
    partial(
        System,
        name="van-der-pol",
        equations={"x1": "x2", "x2": "mu*(1 - x1**2)*x2 - x1"},
        parameters={"mu": Parameter(0.1, meaning="strength of the nonlinear damping")},
        initial_state={"x1": (-5.0, 5.0), "x2": (-5.0, 5.0)},
        description=(
            "The van der Pol oscillator: negative damping near the origin, positive far from it, and so one "
            "attracting limit cycle for every mu > 0; stiff for large mu."
        ),
        reference="van der Pol (1926), On relaxation-oscillations, doi:10.1080/14786442608564127",
        period=6.287,
    ),
    partial(
        System,
        name="forced-van-der-pol",
        equations={"x1": "x2", "x2": "mu*(1 - x1**2)*x2 - x1 + a*cos(omega*t)"},
        parameters={
            "mu": Parameter(8.53, meaning="strength of the nonlinear damping"),
            "a": Parameter(1.2, meaning="amplitude of the force"),
            "omega": Parameter(pi / 5, meaning="angular frequency of the force"),
        },
        initial_state={"x1": (-3.0, 3.0), "x2": (-3.0, 3.0)},
        description="The van der Pol oscillator under a periodic force; chaotic at these values.",
        reference="Parlitz, Lauterborn (1987), Period-doubling cascades, doi:10.1103/PhysRevA.36.1428",
        period=10.0,
        lyapunov=0.0074,
    ),
    partial(
        System,
        name="harmonic",
        equations={"x": "v", "v": "-omega**2*x"},
        parameters={"omega": Parameter(1.0, meaning="angular frequency")},
        initial_state={"x": (-1.0, 1.0), "v": (-1.0, 1.0)},
        description="The harmonic oscillator: x = x(0) cos(omega t) + v(0)/omega sin(omega t).",
        reference="Landau, Lifshitz (1976), Mechanics, section 21, doi:10.1016/C2009-0-25569-3",
        period=2 * pi,
        hamiltonian="(v**2 + omega**2*x**2)/2",
    ),
    partial(
        System,
        name="damped",
        equations={"x": "v", "v": "-k*x - c*v"},
        parameters={
            "k": Parameter(1.0, meaning="stiffness by mass"),
            "c": Parameter(0.1, meaning="damping by mass"),
        },
        initial_state={"x": (-1.0, 1.0), "v": (-1.0, 1.0)},
        description="The damped oscillator; it comes to rest for every c > 0.",
        reference="Landau, Lifshitz (1976), Mechanics, section 25, doi:10.1016/C2009-0-25569-3",
        period=2 * pi,
    ),
    partial(
        System,
        name="duffing",
        equations={"x": "v", "v": "-delta*v - alpha*x - beta*x**3 + gamma*cos(omega*t)"},
        parameters={
            "delta": Parameter(0.3, meaning="damping"),
            "alpha": Parameter(-1.0, meaning="linear stiffness"),
            "beta": Parameter(1.0, meaning="cubic stiffness"),
            "gamma": Parameter(0.5, meaning="amplitude of the force"),
            "omega": Parameter(1.2, meaning="angular frequency of the force"),
        },
        initial_state={"x": (-1.5, 1.5), "v": (-1.5, 1.5)},
        description="A driven oscillator in two wells; chaotic at these values.",
        reference="Kanamaru (2008), Duffing oscillator, doi:10.4249/scholarpedia.6327",
        period=2 * pi / 1.2,
        lyapunov=0.106,
    ),
    partial(
        System,
        name="fitzhugh-nagumo",
        equations={"v": "v - v**3/3 - w + i", "w": "(v + a - b*w)/tau"},
        parameters={
            "i": Parameter(0.5, meaning="current"),
            "a": Parameter(0.7, meaning="offset of the recovery"),
            "b": Parameter(0.8, meaning="decay of the recovery"),
            "tau": Parameter(12.5, meaning="time scale of the recovery"),
        },
        initial_state={"v": (-2.5, 2.5), "w": (-1.0, 2.0)},
        description="A nerve's membrane: a fast voltage and a slow recovery, on a limit cycle at these values.",
        reference="FitzHugh (1961), Impulses and physiological states, doi:10.1016/S0006-3495(61)86902-6",
        period=39.5,
    ),
    partial(
        System,
        name="lotka-volterra",
        equations={"x": "alpha*x - beta*x*y", "y": "delta*x*y - gamma*y"},
        parameters={
            "alpha": Parameter(1.0, meaning="growth of the prey"),
            "beta": Parameter(1.0, meaning="predation"),
            "delta": Parameter(1.0, meaning="growth of the predators by prey"),
            "gamma": Parameter(1.0, meaning="death of the predators"),
        },
        initial_state={"x": (0.3, 2.0), "y": (0.3, 2.0)},
        description="Predator and prey: closed orbits around the coexistence of both.",
        reference="Lotka (1920), Undamped oscillations, doi:10.1021/ja01453a010",
        period=2 * pi,
    ),
    partial(
        System,
        name="brusselator",
        equations={"x": "a + x**2*y - (b + 1)*x", "y": "b*x - x**2*y"},
        parameters={
            "a": Parameter(1.0, meaning="feed"),
            "b": Parameter(3.0, meaning="control; a limit cycle above 1 + a**2"),
        },
        initial_state={"x": (0.1, 4.0), "y": (0.1, 5.0)},
        description="An autocatalytic reaction on a limit cycle.",
        reference="Prigogine, Lefever (1968), Symmetry breaking instabilities, doi:10.1063/1.1668896",
        period=7.16,
    ),
    partial(
        System,
        name="sine-cosine",
        equations={"s": "omega*c", "c": "-omega*s"},
        parameters={"omega": Parameter(1.0, meaning="angular frequency")},
        initial_state={"s": (-1.0, 1.0), "c": (-1.0, 1.0)},
        description="A sine and its cosine, as in the exercise that predicts one from the other.",
        reference="Abramowitz, Stegun (1964), Handbook of mathematical functions, 4.3, isbn:978-0-486-61272-0",
        period=2 * pi,
    ),
)

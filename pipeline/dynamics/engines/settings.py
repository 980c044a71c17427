"""Which engine, with which settings: resolved from the config, stored in every shard, made into an engine."""

from importlib.util import find_spec
from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from ....data.base.section import Section
from ..systems import System
from ..systems.effort import bounded
from .base.engine import Engine, EngineError
from .kinks.pieces import analytic_in_pieces

# Beyond any sane integration (mu = 1000 over two periods of the relaxation oscillation takes 4e5).
DEFAULT_MAX_STEPS = 10_000_000

Resampling = Literal["dense", "linear"]
Method = Literal["taylor", "DOP853", "RK45", "RK23", "LSODA", "Radau", "BDF", "ETDRK4", "Gauss"]
# Of integrations that others are held against.
REFERENCE_TOLERANCE = 1e-12


class EngineSettings(Section):
    """The section [engine]. What is left out is the engine's own default, which `resolve` fills in.

    Attributes:
        name: "auto" takes the engine that suits the equations.
        method: The solver's, where the engine has several.
        tolerance: The error of a step, relative to each component's size.
        absolute_tolerance: The same in the units of the states, for SciPy.
        max_step: The longest step, in units of time.
        max_steps: The most steps of a row, after which it is given up.
        max_steps_per_unit: The most steps of a row for each unit of time that it covers.
    """

    name: Literal["auto", "heyoka", "collocation", "scipy", "etdrk4"] = "auto"
    method: Method | None = None
    tolerance: PositiveFloat | None = None
    absolute_tolerance: PositiveFloat | None = None
    max_step: PositiveFloat | None = None
    max_steps: PositiveInt = DEFAULT_MAX_STEPS
    # Left out of what is stored where it is not stated, for it came later than datasets did.
    max_steps_per_unit: PositiveFloat | None = None

    def resolve(self, resampling: Resampling = "dense", system: System | None = None) -> "EngineSettings":
        """The same with the engine named and its defaults filled in, for that system.

        "auto" leaves to SciPy what heyoka cannot do, equations that are not analytic between `abs` and `sign`, too.

        Raises EngineError if none can.
        """
        spatial, retarded = (system.spatial, system.retarded) if system else (False, False)
        for name, fits, what in (
            ("etdrk4", spatial, '"kuramoto-sivashinsky"'),
            ("collocation", retarded, "delay equations"),
        ):
            if self.name == name and not fits:
                raise EngineError(f'engine "{name}" is for {what}; leave name out, or name another engine')
        if retarded and self.name != "scipy":
            return self._for_delays(resampling)
        if spatial and self.name != "scipy":
            return self._for_field(resampling)
        only_scipy = (
            resampling == "linear"
            or self.max_step is not None
            or self.absolute_tolerance is not None
            or self.method not in (None, "taylor")
        )
        name = self.name
        if name == "auto":
            rough = system is not None and not _analytic(system)
            name = "scipy" if only_scipy or rough or find_spec("heyoka") is None else "heyoka"
        if name == "scipy":
            return self._for_scipy()
        if find_spec("heyoka") is None:
            raise EngineError(
                'engine "heyoka" is not installed; `pip install heyoka` on Linux, conda-forge elsewhere, '
                'or use name = "scipy"'
            )
        if only_scipy:
            raise EngineError(
                'engine "heyoka" has its own method and steps: method, max_step, absolute_tolerance and '
                'resample = "linear" are for name = "scipy"'
            )
        from .taylor.heyoka import DEFAULT_TOLERANCE

        return self.model_copy(
            update={"name": name, "method": "taylor", "tolerance": self.tolerance or DEFAULT_TOLERANCE}
        )

    def _for_field(self, resampling: Resampling) -> "EngineSettings":
        from .field.etdrk4 import DEFAULT_STEP, METHOD

        if self.name == "heyoka":
            raise EngineError(
                'engine "heyoka" solves no partial differential equation; leave name out, or name "etdrk4"'
            )
        unfit = (
            resampling == "linear"
            or self.tolerance is not None
            or self.absolute_tolerance is not None
            or self.method not in (None, METHOD)
        )
        if unfit:
            raise EngineError(
                'engine "etdrk4" has its own method, and a tolerance that follows from max_step: method, tolerance, '
                'absolute_tolerance and resample = "linear" are for name = "scipy"'
            )
        step = self.max_step or DEFAULT_STEP
        return self.model_copy(update={"name": "etdrk4", "method": METHOD, "max_step": step})

    def _for_delays(self, resampling: Resampling) -> "EngineSettings":
        from .delay.collocation import DEFAULT_TOLERANCE, METHOD

        if self.name == "heyoka":
            raise EngineError(
                'engine "heyoka" knows no delays; leave name out, or name "collocation" or "scipy"'
            )
        if resampling == "linear" or self.absolute_tolerance is not None or self.method not in (None, METHOD):
            raise EngineError(
                'engine "collocation" has its own method and one tolerance: method, absolute_tolerance and '
                'resample = "linear" are for name = "scipy"'
            )
        tolerance = self.tolerance or DEFAULT_TOLERANCE
        return self.model_copy(update={"name": "collocation", "method": METHOD, "tolerance": tolerance})

    def _for_scipy(self) -> "EngineSettings":
        from .runge_kutta.scipy import DEFAULT_METHOD, DEFAULT_TOLERANCE, METHODS

        if self.method not in (None, *METHODS):
            raise EngineError(f'engine "scipy" has no method {self.method!r}; it has {", ".join(METHODS)}')
        tolerance = self.tolerance or DEFAULT_TOLERANCE
        return self.model_copy(
            update={
                "name": "scipy",
                "method": self.method or DEFAULT_METHOD,
                "tolerance": tolerance,
                "absolute_tolerance": self.absolute_tolerance or tolerance,
            }
        )


def _analytic(system: System) -> bool:
    with bounded(system.longest):
        return analytic_in_pieces(system)


def make_engine(
    system: System,
    settings: EngineSettings,
    resampling: Resampling = "dense",
    rows: int | None = None,
    *,
    by_component: bool = True,
    beyond_branches: bool = True,
) -> Engine:
    """The engine that integrates a system by these settings.

    Args:
        system: What is integrated.
        settings: The section [engine].
        resampling: Whether values between steps lie on the solver's polynomials, or on straight lines.
        rows: How many rows the engine will be asked for, if that is known.
        by_component: False of ordinary differential equations whose components are known to have no scales of
            their own: a row may then err by parts of its largest component, or of 1.
        beyond_branches: Whether rows that come to a branch, such as a root of 0, are followed beyond it.

    Raises:
        EngineError: No engine can do it.
    """
    settings = settings.resolve(resampling, system)
    tolerance, per_unit = settings.tolerance or 0.0, settings.max_steps_per_unit
    if settings.name == "heyoka":
        from .taylor.heyoka import HeyokaEngine

        with bounded(system.longest):
            return HeyokaEngine(
                system,
                tolerance,
                settings.max_steps,
                rows,
                per_unit,
                by_component=by_component,
                beyond_branches=beyond_branches,
            )
    if settings.name == "etdrk4":
        from .field.etdrk4 import DEFAULT_STEP, Etdrk4Engine

        return Etdrk4Engine(system, settings.max_step or DEFAULT_STEP, settings.max_steps, per_unit)
    if settings.name == "collocation":
        from .delay.collocation import CollocationEngine

        return CollocationEngine(system, tolerance, settings.max_step, settings.max_steps, per_unit)
    return _by_scipy(system, settings, resampling, by_component)


def _by_scipy(system: System, settings: EngineSettings, resampling: Resampling, by_component: bool) -> Engine:
    """The engine of a method of SciPy's, by settings that are resolved."""
    from .delay.scipy import ScipyDelayEngine
    from .runge_kutta.scipy import ScipyEngine

    made = ScipyDelayEngine if system.retarded else ScipyEngine
    return made(
        system,
        settings.tolerance or 0.0,
        settings.max_steps,
        method=settings.method or "",
        absolute_tolerance=settings.absolute_tolerance,
        max_step=settings.max_step,
        resampling=resampling,
        by_component=by_component,
        max_steps_per_unit=settings.max_steps_per_unit,
    )

"""Which engine, with which settings: resolved from the config, stored in every shard, made into an engine."""

from importlib.util import find_spec
from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

from ..systems import System
from .engine import Engine, EngineError
from .switching import analytic_in_pieces

# Beyond any sane integration (mu = 1000 over two periods of the relaxation oscillation takes 4e5).
DEFAULT_MAX_STEPS = 10_000_000

Resampling = Literal["dense", "linear"]
Method = Literal["taylor", "DOP853", "RK45", "RK23", "LSODA", "Radau", "BDF", "ETDRK4"]


class EngineSettings(BaseModel):
    """The [engine] section. What is left out is the engine's own default, and filled in by `resolve`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: Literal["auto", "heyoka", "scipy", "etdrk4"] = "auto"
    method: Method | None = None
    tolerance: PositiveFloat | None = None
    absolute_tolerance: PositiveFloat | None = None
    max_step: PositiveFloat | None = None
    max_steps: PositiveInt = DEFAULT_MAX_STEPS

    def resolve(self, resampling: Resampling = "dense", system: System | None = None) -> "EngineSettings":
        """The same with the engine named and its defaults filled in, for that system.

        "auto" leaves to SciPy what heyoka cannot do, equations that are not analytic between `abs` and `sign`, too.

        Raises EngineError if none can.
        """
        if system is not None and system.kind != System.kind and self.name != "scipy":
            return self._for_field(resampling, system.kind)
        if self.name == "etdrk4":
            raise EngineError(
                'engine "etdrk4" is for "kuramoto-sivashinsky"; leave name out, or name "heyoka" or "scipy"'
            )
        only_scipy = (
            resampling == "linear"
            or self.max_step is not None
            or self.absolute_tolerance is not None
            or self.method not in (None, "taylor")
        )
        name = self.name
        if name == "auto":
            rough = system is not None and not analytic_in_pieces(system)
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
        from .heyoka import DEFAULT_TOLERANCE

        return self.model_copy(
            update={"name": name, "method": "taylor", "tolerance": self.tolerance or DEFAULT_TOLERANCE}
        )

    def _for_field(self, resampling: Resampling, kind: str) -> "EngineSettings":
        from .etdrk4 import DEFAULT_STEP, METHOD

        if self.name == "heyoka":
            raise EngineError(
                f'engine "heyoka" has no equations for {kind}; leave name out, or name "etdrk4"'
            )
        unfit = (
            resampling == "linear"
            or self.tolerance is not None
            or self.absolute_tolerance is not None
            or self.method not in (None, METHOD)
        )
        if unfit:
            raise EngineError(
                'engine "etdrk4" has its own method and fixed steps, of max_step at most: method, tolerance, '
                'absolute_tolerance and resample = "linear" are for name = "scipy"'
            )
        step = self.max_step or DEFAULT_STEP
        return self.model_copy(update={"name": "etdrk4", "method": METHOD, "max_step": step})

    def _for_scipy(self) -> "EngineSettings":
        from .scipy import DEFAULT_METHOD, DEFAULT_TOLERANCE, METHODS

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


def make_engine(
    system: System, settings: EngineSettings, resampling: Resampling = "dense", rows: int | None = None
) -> Engine:
    """The engine of these settings for a system; `rows`, if known, says how many it will be asked for.

    Raises EngineError if there is none.
    """
    settings = settings.resolve(resampling, system)
    tolerance = settings.tolerance or 0.0
    if settings.name == "heyoka":
        from .heyoka import HeyokaEngine

        return HeyokaEngine(system, tolerance, settings.max_steps, rows)
    if settings.name == "etdrk4":
        from .etdrk4 import DEFAULT_STEP, Etdrk4Engine

        return Etdrk4Engine(system, settings.max_step or DEFAULT_STEP, settings.max_steps)
    from .scipy import ScipyEngine

    return ScipyEngine(
        system,
        tolerance,
        settings.max_steps,
        method=settings.method or "",
        absolute_tolerance=settings.absolute_tolerance,
        max_step=settings.max_step,
        resampling=resampling,
    )

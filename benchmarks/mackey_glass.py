"""Mackey-Glass: error and time by the tolerance, beside SciPy's DOP853 from breaking point to breaking point."""

from time import perf_counter

import numpy as np
from trajstore.pipeline import EngineSettings, InitialStates, get_system, make_engine

ROWS, SCIPY_ROWS, DURATION = 256, 8, 400.0
TOLERANCES = (1e-7, 1e-9, 1e-11, 1e-13)


def main() -> None:
    system = get_system("mackey-glass")
    starts = InitialStates().rows(system, 0, "train", 0, ROWS)
    parameters = np.tile(np.array(system.defaults), (ROWS, 1))
    times = np.linspace(0.0, DURATION, 1601)

    def solve(settings: EngineSettings, rows: int) -> tuple[np.ndarray, float]:
        engine = make_engine(system, settings)
        # Compiles the equations.
        engine.solve(starts[:1], parameters[:1], times[:2])
        begin = perf_counter()
        solution = engine.solve(starts[:rows], parameters[:rows], times)
        if solution.status.any():
            raise RuntimeError(f"{np.count_nonzero(solution.status)} of {rows} rows failed")
        return solution.states, 1e3 * (perf_counter() - begin) / rows

    exact, _ = solve(EngineSettings(tolerance=1e-15), ROWS)
    print(f"{ROWS} rows, of SciPy {SCIPY_ROWS}, to t = {DURATION:g}; errors against tolerance 1e-15\n")
    print("| engine | tolerance | largest error | ms a trajectory |\n| --- | --- | --- | --- |")
    for name, rows in (("collocation", ROWS), ("scipy", SCIPY_ROWS)):
        for tolerance in TOLERANCES:
            states, each = solve(EngineSettings(name=name, tolerance=tolerance), rows)
            error = np.abs(states - exact[:rows]).max()
            print(f"| {name} | {tolerance:g} | {error:.1e} | {each:.3g} |", flush=True)


if __name__ == "__main__":
    main()

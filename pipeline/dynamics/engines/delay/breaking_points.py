"""Where the solution of a delay equation is not smooth: at sums of its delays after the initial time.

Bellen, Zennaro (2003), Numerical methods for delay differential equations, chapter 2, isbn:978-0-19-850654-6.
"""

import numpy as np

# Nearer than this part of their time, two points are one.
DISTINCT = 1e-12


def breaking_points(delays: np.ndarray, start: float, end: float, level: int) -> list[float]:
    """Sums of up to `level` of the delays (M,), after `start` and before `end`, in order.

    The history is constant and the solution begins with a slope, so the first derivative jumps at `start`. A jump in
    derivative k makes one in derivative k + 1 a delay later: at a sum of n delays it is the derivative n + 1.
    """
    # A sum with one delay more is later: what is beyond the end is not added to.
    longest, sums, latest = end - start, set[float](), {0.0: 0}
    for _ in range(level):
        following: dict[float, int] = {}
        for total, first in latest.items():
            for number in range(first, len(delays)):
                longer = total + float(delays[number])
                if longer <= longest:
                    # Each delay after itself and those before it; a total that comes twice goes on with the more.
                    following[longer] = min(number, following.get(longer, number))
        latest = following
        sums |= latest.keys()
    points = [start]
    for time in sorted(start + total for total in sums):
        if time - points[-1] > DISTINCT * max(abs(time), time - start) and time < end:
            points.append(time)
    return points[1:]

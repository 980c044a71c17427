"""How many threads NumPy and SciPy multiply matrices in."""

from threadpoolctl import threadpool_limits


def one_blas_thread() -> threadpool_limits:
    """A context in which BLAS libraries that are loaded by then use one thread.

    Of matrices as small as those of baselines a second thread saves nothing, and it waits in a loop for a core that
    others have: NVAR is fitted in 1.1 instead of 1.4 s on an idle machine, and in 4 instead of 45 s on a busy one.
    """
    return threadpool_limits(1, "blas")

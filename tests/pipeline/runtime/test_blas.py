"""BLAS in one thread, where baselines are fitted and rolled out."""

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits
from trajstore.data import TrajectoryDataset
from trajstore.pipeline.judge.baselines import fit_baselines
from trajstore.pipeline.judge.forecasters.persistence import Persistence
from trajstore.pipeline.runtime.blas import one_blas_thread


def threads():
    return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_it_has_one_thread_within_and_as_many_as_before_afterwards():
    with threadpool_limits(3, "blas"):
        before = threads()
        assert set(before.values()) == {3}, "NumPy's own has threads that can be counted"
        with one_blas_thread():
            assert set(threads().values()) == {1}
            np.linalg.lstsq(np.eye(3), np.ones(3), rcond=None)
        assert threads() == before


def test_baselines_are_fitted_so(small_dataset):
    seen = []

    class Watching(Persistence):
        @classmethod
        def fit(cls, train, validation):
            seen.append(set(threads().values()))
            return super().fit(train, validation)

    train = TrajectoryDataset(small_dataset, "train")
    with threadpool_limits(3, "blas"):
        assert list(fit_baselines(train, None, ["watching"], given={"watching": Watching})) == ["watching"]
    assert seen == [{1}]

"""The stages: a config, its dataset, a model trained on it, judged and drawn; and what is done with datasets.

Names are looked up on first use: `generate` needs no torch, `load_config` no HDF5.
"""

from typing import TYPE_CHECKING

from ..data.base.face import face

if TYPE_CHECKING:
    from ..data.integrity.verify import verify as verify
    from .audit.reintegrate import reintegrate as reintegrate
    from .audit.repair import repair as repair
    from .config.experiment import Experiment as Experiment
    from .config.file import check_config as check_config
    from .config.file import load_config as load_config
    from .config.plain_values import ConfigError as ConfigError
    from .draw.run_figures.plot import plot as plot
    from .dynamics.engines import Engine as Engine
    from .dynamics.engines import EngineError as EngineError
    from .dynamics.engines import EngineSettings as EngineSettings
    from .dynamics.engines import make_engine as make_engine
    from .dynamics.initial_states import InitialStates as InitialStates
    from .dynamics.systems import Parameter as Parameter
    from .dynamics.systems import System as System
    from .dynamics.systems import get_system as get_system
    from .exchange.archives.publish import publish as publish
    from .exchange.derived.export import export as export
    from .exchange.derived.merge import merge as merge
    from .exchange.derived.select import Selection as Selection
    from .exchange.derived.select import select as select
    from .exchange.fetch.fetch import fetch as fetch
    from .exchange.measured.dysts import import_dysts as import_dysts
    from .exchange.measured.importing import import_files as import_files
    from .exchange.measured.measurements import Columns as Columns
    from .exchange.measured.settings import Import as Import
    from .generation.generate import generate as generate
    from .judge.evaluate import evaluate as evaluate
    from .judge.evaluate_predictions import evaluate_predictions as evaluate_predictions
    from .judge.metrics.metric import Metric as Metric
    from .judge.rollout import roll_out as roll_out
    from .learn.learner import Learner as Learner
    from .learn.train import train as train
    from .runs.curve import read_curve as read_curve
    from .runs.files import RunError as RunError
    from .runs.model import load_trained as load_trained
    from .runs.samples import load_normalizer as load_normalizer
    from .study.study import run_study as run_study

_HOMES = {
    "verify": ".data.integrity.verify",
    "reintegrate": "audit.reintegrate",
    "repair": "audit.repair",
    "Experiment": "config.experiment",
    "check_config": "config.file",
    "load_config": "config.file",
    "ConfigError": "config.plain_values",
    "plot": "draw.run_figures.plot",
    "Engine": "dynamics.engines",
    "EngineError": "dynamics.engines",
    "EngineSettings": "dynamics.engines",
    "make_engine": "dynamics.engines",
    "InitialStates": "dynamics.initial_states",
    "Parameter": "dynamics.systems",
    "System": "dynamics.systems",
    "Metric": "judge.metrics.metric",
    "get_system": "dynamics.systems",
    "publish": "exchange.archives.publish",
    "export": "exchange.derived.export",
    "merge": "exchange.derived.merge",
    "Selection": "exchange.derived.select",
    "select": "exchange.derived.select",
    "fetch": "exchange.fetch.fetch",
    "Import": "exchange.measured.settings",
    "import_dysts": "exchange.measured.dysts",
    "import_files": "exchange.measured.importing",
    "Columns": "exchange.measured.measurements",
    "generate": "generation.generate",
    "evaluate": "judge.evaluate",
    "evaluate_predictions": "judge.evaluate_predictions",
    "roll_out": "judge.rollout",
    "Learner": "learn.learner",
    "train": "learn.train",
    "RunError": "runs.files",
    "load_normalizer": "runs.samples",
    "load_trained": "runs.model",
    "read_curve": "runs.curve",
    "run_study": "study.study",
}

__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = face(__name__, _HOMES)

"""Networks, and nothing else: one file each. Names are looked up on first use, for torch takes seconds to import."""

from typing import TYPE_CHECKING

from ..data.base.face import face

if TYPE_CHECKING:
    from ..data.base.section import Section as Section
    from .alrnn import ALRNN as ALRNN
    from .dendplrnn import DendPLRNN as DendPLRNN
    from .facts import DataFacts as DataFacts
    from .field import FieldModel as FieldModel
    from .gru import GRU as GRU
    from .hnn import HNN as HNN
    from .layers import perceptron as perceptron
    from .lstm import LSTM as LSTM
    from .mlp import MLP as MLP
    from .model import Model as Model
    from .model import WindowModel as WindowModel
    from .model import count_parameters as count_parameters
    from .neural_ode import NeuralODE as NeuralODE
    from .piecewise import PiecewiseModel as PiecewiseModel
    from .random_features import RandomFeatures as RandomFeatures
    from .readout import ReadoutModel as ReadoutModel
    from .recurrent import RecurrentModel as RecurrentModel
    from .registry import MODELS as MODELS
    from .registry import make_model as make_model
    from .shplrnn import ShPLRNN as ShPLRNN

_HOMES = {
    "ALRNN": "alrnn",
    "DataFacts": "facts",
    "DendPLRNN": "dendplrnn",
    "FieldModel": "field",
    "GRU": "gru",
    "HNN": "hnn",
    "LSTM": "lstm",
    "MLP": "mlp",
    "MODELS": "registry",
    "Model": "model",
    "PiecewiseModel": "piecewise",
    "NeuralODE": "neural_ode",
    "RandomFeatures": "random_features",
    "ReadoutModel": "readout",
    "RecurrentModel": "recurrent",
    "Section": ".data.base.section",
    "ShPLRNN": "shplrnn",
    "WindowModel": "model",
    "count_parameters": "model",
    "make_model": "registry",
    "perceptron": "layers",
}

__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = face(__name__, _HOMES)

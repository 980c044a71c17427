"""Networks, and nothing else: one file each. Names are looked up on first use, for torch takes seconds to import."""

from typing import TYPE_CHECKING

from ..data.base.face import face

if TYPE_CHECKING:
    from ..data.base.section import Section as Section
    from .alrnn import ALRNN as ALRNN
    from .dendplrnn import DendPLRNN as DendPLRNN
    from .facts import DataFacts as DataFacts
    from .facts import Learned as Learned
    from .field import EnergyModel as EnergyModel
    from .field import FieldModel as FieldModel
    from .gru import GRU as GRU
    from .hnn import HNN as HNN
    from .latent import LatentModel as LatentModel
    from .latent_hnn import LatentHNN as LatentHNN
    from .layers import perceptron as perceptron
    from .lru import LRU as LRU
    from .lstm import LSTM as LSTM
    from .mamba import Mamba as Mamba
    from .mlp import MLP as MLP
    from .model import Model as Model
    from .model import WindowModel as WindowModel
    from .model import count_parameters as count_parameters
    from .nbeats import NBEATS as NBEATS
    from .neural_ode import NeuralODE as NeuralODE
    from .piecewise import PiecewiseModel as PiecewiseModel
    from .random_features import RandomFeatures as RandomFeatures
    from .readout import ReadoutModel as ReadoutModel
    from .recurrent import RecurrentModel as RecurrentModel
    from .registry import MODELS as MODELS
    from .registry import make_model as make_model
    from .reservoir import Reservoir as Reservoir
    from .rhn import RHN as RHN
    from .shplrnn import ShPLRNN as ShPLRNN
    from .stacked import Block as Block
    from .stacked import StackedModel as StackedModel
    from .transformer import Transformer as Transformer

_HOMES = {
    "ALRNN": "alrnn",
    "Block": "stacked",
    "DataFacts": "facts",
    "DendPLRNN": "dendplrnn",
    "EnergyModel": "field",
    "FieldModel": "field",
    "GRU": "gru",
    "HNN": "hnn",
    "LRU": "lru",
    "LSTM": "lstm",
    "LatentHNN": "latent_hnn",
    "Learned": "facts",
    "LatentModel": "latent",
    "MLP": "mlp",
    "MODELS": "registry",
    "Mamba": "mamba",
    "Model": "model",
    "PiecewiseModel": "piecewise",
    "NeuralODE": "neural_ode",
    "RandomFeatures": "random_features",
    "RHN": "rhn",
    "ReadoutModel": "readout",
    "RecurrentModel": "recurrent",
    "Reservoir": "reservoir",
    "Section": ".data.base.section",
    "ShPLRNN": "shplrnn",
    "StackedModel": "stacked",
    "NBEATS": "nbeats",
    "Transformer": "transformer",
    "WindowModel": "model",
    "count_parameters": "model",
    "make_model": "registry",
    "perceptron": "layers",
}

__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = face(__name__, _HOMES)

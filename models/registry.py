"""Models by the name that a config gives them."""

from typing import TYPE_CHECKING, Any

from ..data.base.registry import Registry

if TYPE_CHECKING:
    from .model import Model

MODELS: "Registry[Model]" = Registry(
    "model",
    {
        "lstm": "lstm:LSTM",
        "gru": "gru:GRU",
        "rhn": "rhn:RHN",
        "lru": "lru:LRU",
        "mamba": "mamba:Mamba",
        "transformer": "transformer:Transformer",
        "nbeats": "nbeats:NBEATS",
        "reservoir": "reservoir:Reservoir",
        "mlp": "mlp:MLP",
        "hnn": "hnn:HNN",
        "shplrnn": "shplrnn:ShPLRNN",
        "alrnn": "alrnn:ALRNN",
        "dendplrnn": "dendplrnn:DendPLRNN",
        "neural-ode": "neural_ode:NeuralODE",
        "random-features": "random_features:RandomFeatures",
        "latent-hnn": "latent_hnn:LatentHNN",
    },
    package="trajstore.models",
    base="model:Model",
)


def make_model(name: "str | type[Model]", input_size: int, output_size: int, **settings: Any) -> "Model":
    """A freshly initialised model; its first weights are drawn from torch's global generator.

    Args:
        name: As in [model], or the class itself.
        input_size: How many components the inputs have.
        output_size: How many components the outputs have.
        settings: The keys of [model] beside `name`.

    Raises:
        TrajstoreError: There is no model of that name.
    """
    kind = MODELS.find(name) if isinstance(name, str) else name
    model = kind(input_size, output_size, **settings)
    model.input_size, model.output_size = input_size, output_size
    return model

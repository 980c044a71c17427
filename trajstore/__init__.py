"""trajstore: from the equations of a dynamical system to datasets that others can trust, and models trained on them.

`trajstore.data` is the store, `trajstore.models` the networks, `trajstore.pipeline` the stages.
"""

from importlib.metadata import version

__version__ = version("trajstore")

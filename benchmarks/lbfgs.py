"""torch's L-BFGS as a learner of one's own: `learner = { name = "lbfgs.py:Lbfgs" }`."""

from typing import Any

import torch
from torch import Tensor
from trajstore.models import Section
from trajstore.pipeline import Learner


class Lbfgs(Learner):
    """Quasi-Newton steps with a strong Wolfe line search, as torch's documentation has them, on one batch a step."""

    class Settings(Section):
        iterations: int = 20
        history: int = 20

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        settings = context.settings
        self._optimizer = torch.optim.LBFGS(
            self.model.parameters(),
            lr=1.0,
            max_iter=settings.iterations,
            history_size=settings.history,
            line_search_fn="strong_wolfe",
        )

    def step(self, number: int, inputs: Tensor, targets: Tensor) -> Tensor:
        def closure() -> Tensor:
            self._optimizer.zero_grad()
            loss = self.model.loss(inputs, targets)
            loss.backward()
            return loss

        return self._optimizer.step(closure).detach()  # pyright: ignore[reportAttributeAccessIssue]

    def state_dict(self) -> dict[str, Any]:
        return self._optimizer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._optimizer.load_state_dict(state)

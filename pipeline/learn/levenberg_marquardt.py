"""Second-order learning: Levenberg and Marquardt's method with a sampled Gauss-Newton matrix.

Small networks on exact data keep learning long after first-order methods have come to a stand. With residuals
r (n of them) and their Jacobian J, the loss is r.r / n and the step solves (G + damping I) d = J^T r / n with
G = J^T J / n (Marquardt 1963, doi:10.1137/0111030). Forming J is dear, so G is estimated: for random signs v,
the expectation of (J^T v)(J^T v)^T is J^T J (Hutchinson 1990, doi:10.1080/03610919008812866), and a few such
products a sample, averaged over the last steps, are enough. Samples that have no more outputs than that have the
product of each, which is exact.

Several processes share the samples of gradient, loss and G, draw the same signs as one, and take the first one's
solution: their steps differ from those of one process by rounding alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.linalg.blas import dsyrk, ssyrk  # pyright: ignore[reportAttributeAccessIssue]
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap
from torch.nn.functional import mse_loss
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from ...data.base.seeds import mix_seeds
from ...models import Model
from ..config.learners import LevenbergMarquardtSettings
from ..runs.files import RunError
from ..runs.loss_units import told_loss
from .learner import Context, Learner
from .ranks import ALONE, Ranks

# Samples whose Jacobian products are held at once; bounds memory at this times probes times parameters.
CHUNK = 256
# Samples whose gradient is taken at once: of more, the parts between no longer fit a cache.
PIECE = 4_096
# Parameters of which the matrix still has a place: 3 GB, and as much again while it is solved.
MOST_PARAMETERS = 20_000
LARGEST_DAMPING = 1e4
# How to do without.
LEAVE_OUT = "leave out [refinement], or training.learner where that names it"
SMALLEST_DAMPING = 1e-8


class LevenbergMarquardt(Learner):
    """One damped Gauss-Newton step a batch; the gradient is exact, the matrix sampled and averaged.

    Costs memory of parameters squared (2000 parameters: 32 MB) and is for networks of a few thousand.

    std  (D,) by which the batches are standardised, for losses in raw units, see `told_loss`

    Raises RunError for a network of too many.
    """

    Settings = LevenbergMarquardtSettings

    def __init__(
        self,
        model: nn.Module,
        settings: LevenbergMarquardtSettings,
        seed: int,
        ranks: Ranks = ALONE,
        std: tuple[float, ...] | None = None,
    ) -> None:
        self._model, self._settings, self._seed, self._ranks = model, settings, seed, ranks
        self._std = std
        self._parameters = list(model.parameters())
        size = sum(parameter.numel() for parameter in self._parameters)
        if size > MOST_PARAMETERS:
            raise RunError(
                f"levenberg-marquardt: the model has {size} parameters, and the method solves for at most "
                f"{MOST_PARAMETERS} at once; {LEAVE_OUT}, or take a smaller network"
            )
        self._matrix = torch.zeros(size, size, dtype=torch.float64)
        self._damping = settings.damping

    @classmethod
    def of(cls, context: Context) -> Self:
        return cls(context.model, context.settings, context.training.seed, context.ranks, context.std)

    @classmethod
    def check(cls, kind: type[Model], name: str) -> None:
        if kind.loss is not Model.loss:
            raise RunError(
                f"levenberg-marquardt: {name} has a loss of its own, and the method is for squared errors; "
                f"{LEAVE_OUT}"
            )

    def step(self, number: int, inputs: Tensor, targets: Tensor) -> Tensor:
        """Learn from a batch; `number` is the step's own, from 0. The loss before it, a scalar.

        Damping is raised until the loss on the batch falls; a step that finds no such damping changes nothing.
        """
        memory = self._settings.memory if number else 0.0
        self._matrix = memory * self._matrix + (1.0 - memory) * self._sample_matrix(number, inputs)
        gradient, before, told = self._gradient(inputs, targets)
        now = parameters_to_vector(self._parameters).detach().double().cpu()
        while self._damping <= LARGEST_DAMPING:
            step = self._solve(gradient)
            if step is not None:
                self._set(now - step)
                after = self._loss(inputs, targets)
                if after < before:
                    self._adapt(before - after, float(2 * gradient @ step - step @ self._matrix @ step))
                    return told
            self._damping *= 4
        self._set(now)
        self._damping = self._settings.damping
        return told

    def _adapt(self, gained: float, promised: float) -> None:
        """Less damping where the quadratic model keeps its promise, more where it does not."""
        kept = gained / max(promised, 1e-300)
        factor = 0.4 if kept > 0.7 else 2.0 if kept < 0.3 else 1.0
        self._damping = self._ranks.from_first(max(self._damping * factor, SMALLEST_DAMPING))

    def _solve(self, gradient: Tensor) -> Tensor | None:
        """(G + damping I)^-1 gradient; None where that is not positive definite in floating point."""
        return self._ranks.from_first(self._solution(gradient) if self._ranks.first else None)

    def _solution(self, gradient: Tensor) -> Tensor | None:
        damped = self._matrix.numpy().copy()
        damped[np.diag_indices_from(damped)] += self._damping
        try:
            factor = cho_factor(damped, overwrite_a=True, check_finite=False)
        except LinAlgError:
            return None
        return torch.from_numpy(cho_solve(factor, gradient.numpy(), check_finite=False))

    def _set(self, values: Tensor) -> None:
        like = self._parameters[0]
        vector_to_parameters(values.to(like.device, like.dtype), self._parameters)

    @torch.no_grad()
    def _loss(self, inputs: Tensor, targets: Tensor) -> float:
        pieces = zip(inputs.split(PIECE), targets.split(PIECE), strict=True)
        losses = [
            mse_loss(self._model(given), wanted) * (len(given) / len(inputs)) for given, wanted in pieces
        ]
        return self._ranks.mean(torch.stack(losses).sum()).item()

    def _gradient(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, float, Tensor]:
        """J^T r / n, half the gradient of the loss; the loss; and the loss as it is told, a scalar."""
        gradients, losses, tolds = [], [], []
        for given, wanted in zip(inputs.split(PIECE), targets.split(PIECE), strict=True):
            outputs, part = self._model(given), len(given) / len(inputs)
            loss = mse_loss(outputs, wanted)
            pulled = torch.autograd.grad(loss, self._parameters)
            gradients.append(part * parameters_to_vector(pulled))
            losses.append(part * loss.detach())
            tolds.append(part * told_loss(loss, outputs, wanted, self._std))
        gradient, before, told = (
            self._ranks.mean(torch.stack(parts).sum(dim=0)) for parts in (gradients, losses, tolds)
        )
        return 0.5 * gradient.double().cpu(), before.item(), told

    def _sample_matrix(self, number: int, inputs: Tensor) -> Tensor:
        """An unbiased estimate of J^T J / n from the first samples of the global batch.

        In float64, seeded by (seed, number).
        """
        generator = torch.Generator().manual_seed(mix_seeds(self._seed, number))
        parameters = {name: value.detach() for name, value in self._model.named_parameters()}

        def products(sample: Tensor, probes: Tensor) -> Tensor:
            """v^T J of one sample (T, D) for each of its probes (K, T, D): (K, parameters)."""
            pull_back: Any = vjp(lambda p: functional_call(self._model, p, (sample[None],))[0], parameters)[1]
            (pulled,) = vmap(pull_back)(probes)
            return torch.cat([pulled[name].flatten(1) for name in parameters], dim=1)

        wide = next(iter(parameters.values())).dtype == torch.float64
        total = np.zeros(self._matrix.shape, dtype=np.float64 if wide else np.float32, order="F")
        residuals = 0
        rank, size = self._ranks.rank, self._ranks.size
        samples, outputs = min(self._settings.samples, len(inputs) * size), self._outputs(inputs)
        exact = outputs.numel() <= self._settings.probes
        with _plain_kernels():
            for start in range(0, samples, CHUNK):
                probes = self._probes(min(CHUNK, samples - start), outputs, generator)
                residuals += len(probes) * (1 if exact else self._settings.probes) * outputs.numel()
                # Sample number rank + i * size of the global batch is this process's i-th.
                own = probes[(rank - start) % size :: size].to(inputs)
                if not len(own):
                    continue
                first = -((rank - start) // size)
                rows = vmap(products)(inputs[first : first + len(own)], own).flatten(0, 1).cpu().numpy()
                # BLAS's symmetric product: half the work of a general one, and only the upper half of the sum.
                total = (dsyrk if wide else ssyrk)(1.0, rows.T, beta=1.0, c=total, overwrite_c=True)
        self._ranks.sum(torch.from_numpy(total.T))
        upper = torch.from_numpy(total).double() / residuals
        return upper.triu() + upper.triu(1).T

    def _probes(self, samples: int, outputs: torch.Size, generator: torch.Generator) -> Tensor:
        """Of so many samples, (n, K, T, D): random signs; each output by itself, where these are not more."""
        numbers = outputs.numel()
        if numbers <= self._settings.probes:
            return torch.eye(numbers).view(numbers, *outputs).expand(samples, -1, *(-1 for _ in outputs))
        shape = (samples, self._settings.probes, *outputs)
        return torch.randint(0, 2, shape, generator=generator).mul_(2).sub_(1)

    @torch.no_grad()
    def _outputs(self, inputs: Tensor) -> torch.Size:
        return self._model(inputs[:1]).shape[1:]

    def state_dict(self) -> dict[str, Any]:
        return {"matrix": self._matrix, "damping": self._damping}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._matrix, self._damping = state["matrix"], state["damping"]


@contextmanager
def _plain_kernels() -> Iterator[None]:
    """The fused recurrences of oneDNN and cuDNN know no vmap."""
    backends: tuple[Any, ...] = (torch.backends.mkldnn, torch.backends.cudnn)
    before = [backend.enabled for backend in backends]
    for backend in backends:
        backend.enabled = False
    try:
        yield
    finally:
        for backend, enabled in zip(backends, before, strict=True):
            backend.enabled = enabled

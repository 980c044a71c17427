"""What figures are told of rollouts: those of what is judged, with their energies, and a few of each baseline."""

import numpy as np

from .judging import Judging
from .metrics.energy import Energy
from .movement import choose, first_moving, moving
from .rollouts import GROUP_BYTES, Group, RolloutPlan
from .truth import CURVES

# Of the truth of one rollout, of which figures show a part.
SMOOTH_POINTS = 6_000
# Rollouts of a portrait.
PORTRAIT = 6


class ShownRollouts:
    """Collects rollouts, group by group; what is held is bounded."""

    def __init__(self, judging: Judging, plan: RolloutPlan) -> None:
        self._judging, self._plan = judging, plan
        self._groups: list[Group] = []
        # By name of the baseline; an empty one is what is judged.
        self._predicted: dict[str, list[np.ndarray]] = {}
        self._energies: dict[str, list[np.ndarray]] = {}
        self._energy = Energy(judging.context) if Energy.wanted(judging.context) else None
        self._portraits = self._energy is not None or judging.test.task.rates
        self._held, self._open = 0, False

    def add(self, name: str, group: Group, predicted: np.ndarray) -> None:
        """Rollouts (n, T, D) of a group; what is judged comes before its baselines."""
        if not name:
            self._open = self._held < GROUP_BYTES
            if self._open:
                self._groups.append(group)
                self._held += predicted.nbytes
        if not self._open or (name and not self._portraits):
            return
        if self._energy is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                energies = self._energy.energy(predicted, group.parameters)
            self._energies.setdefault(name, []).append(energies)
        if not name:
            self._predicted.setdefault(name, []).append(predicted)
        elif len(self._groups) == 1:
            self._predicted[name] = [predicted[self._chosen()]]

    def _chosen(self) -> np.ndarray:
        """Numbers of the rollouts of portraits, all of the first group."""
        return choose(moving(self._groups[0].true), PORTRAIT)

    def arrays(self) -> dict[str, np.ndarray]:
        """For evaluation.npz; and the truth of the rollout that is drawn, smooth, where it would have corners."""
        judging, plan, groups = self._judging, self._plan, self._groups
        true = np.concatenate([group.true for group in groups])
        rows = np.concatenate([group.rows for group in groups])
        predicted = {name: np.concatenate(parts) for name, parts in self._predicted.items()}
        arrays = {
            "rollout_time": plan.times,
            "rollout_true": true,
            "rollout_predicted": predicted.pop(""),
            "rollout_row": rows,
            "rollout_scales": judging.context.scales,
        }
        if self._portraits:
            arrays["portrait_numbers"] = self._chosen()
            arrays |= {f"portrait_of_{name}": states for name, states in predicted.items()}
        if self._energy is not None:
            told = np.concatenate([group.parameters for group in groups])
            arrays["energy_true"] = self._energy.energy(true, told)
            arrays["energy_predicted"] = np.concatenate(self._energies.pop(""))
            arrays |= {f"energy_of_{name}": np.concatenate(parts) for name, parts in self._energies.items()}
        return arrays | self._smooth(true, rows)

    def _smooth(self, true: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
        test, truth = self._judging.test, self._judging.truth
        if truth is None or len(test.components) > CURVES:
            return {}
        drawn = first_moving(true)
        begins = np.concatenate([group.begins for group in self._groups])
        begin = float(test.time[begins[drawn]])
        smooth = truth.smooth(rows[drawn], begin + self._plan.times, SMOOTH_POINTS)
        if smooth is None:
            return {}
        return {"rollout_smooth_time": smooth[0] - begin, "rollout_smooth_true": smooth[1]}

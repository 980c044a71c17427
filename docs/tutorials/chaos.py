# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Chaos, and how to judge it
#
# Two trajectories of the Lorenz system that begin a hair apart have nothing in common after a while. What
# is a good model of it, then, and how is it told from a bad one? Here are three answers, each beside what
# it would be for a cheap model and for the truth itself.

# %% [markdown]
# ## The data
#
# Rows begin on the attractor, for a transient is integrated and dropped. The test rows are 50 starts of
# their own.

# %%
from pathlib import Path

Path("lorenz.toml").write_text("""
[system]
name = "lorenz"

[initial_states]
kind = "attractor"
transient = 20.0

[grid]
duration = 40.0
step = 0.02

[dataset]
train = 20
validation = 4
test = 50
dtype = "float64"

[task]
name = "forecast"
window = 101
stride = 50
normalize = true

[model]
hidden = 32

[training]
batch = 64
steps = 500
evaluate_every = 100

[evaluation]
rollouts = 50
rollout_lengths = 10
baselines = ["persistence", "linear", "polynomial"]
""")

# %%
from trajstore.pipeline import evaluate, generate, load_config, plot, train

config = load_config("lorenz.toml")
generate(config, "dataset")
train(config, "dataset", "run")
metrics = evaluate("run")

# %% [markdown]
# ## Two true trajectories
#
# How far do two solutions go apart that begin $10^{-9}$ apart? By a factor $e$ in a *Lyapunov time*, which
# is 1.1 here, until they are as far apart as any two points of the attractor.

# %% alt="The distance of two true trajectories grows from 1e-9 to the size of the attractor"
import matplotlib.pyplot as plt
import numpy as np
from trajstore.data import TrajectoryDataset
from trajstore.pipeline import EngineSettings, get_system, make_engine

system = get_system("lorenz")
start = TrajectoryDataset("dataset", "test", "forecast").states(0)[0].numpy()
times = np.arange(0.0, 40.0, 0.02)
starts = np.stack([start, start + np.array([1e-9, 0.0, 0.0])])
both = make_engine(system, EngineSettings(), rows=2).solve(starts, system.default_rows(2), times).states
apart = np.linalg.norm(both[0] - both[1], axis=1)
plt.semilogy(times, apart, label="distance")
grown = 1e-9 * np.exp(system.lyapunov * times)
plt.semilogy(times[grown < 30], grown[grown < 30], "--", label="by the Lyapunov exponent")
plt.xlabel("time")
plt.legend()

# %% [markdown]
# ## 1. How long it is right
#
# So the error after a long time is that of two trajectories that have nothing to do with each other,
# whatever the model. What tells is *how long* it takes: the valid prediction time, until the error is half
# a standard deviation, the median over 50 starts. Each start has a history of true points first, on which
# the network warms up.

# %%
rollout = metrics["rollout"]
times = {name: baseline["vpt_lyapunov"] for name, baseline in rollout["baselines"].items()}
times["this LSTM, 500 steps"] = rollout["vpt_lyapunov"]
times["floor: another true trajectory"] = rollout["floors"]["vpt_lyapunov"]
for name, time in sorted(times.items(), key=lambda item: -item[1]):
    print(f"{name:>31}: {time:5.2f} Lyapunov times")

# %% alt="Errors of rollouts over time, of the network, the baselines and another true trajectory"
from IPython.display import Image, display

figures = {path.stem: path for path in plot("run")}
display(Image(figures["growth"], width=720))

# %% [markdown]
# All curves end at the same height, that of another true trajectory: a mean error over the whole of it
# would tell little else than how long the rollouts were chosen. And a polynomial map, fitted by least
# squares within seconds, holds longest. **A table of networks alone would not have shown it.**

# %% [markdown]
# ## 2. Where it goes
#
# Long after it has lost the trajectory, a model may still be on the right attractor. Free runs of many
# points are compared with true ones: `d_stsp` by where they spend their time, `d_h` by their power spectra.
# These numbers depend on the length of the runs, so that each is to be read beside its floor, which is what
# two *true* runs of that length differ by.

# %%
asked = ["evaluation.metrics=['d_stsp', 'd_h', 'lyapunov']", "evaluation.statistics_points=5000"]
rollout = evaluate("run", overrides=[*asked, "evaluation.baselines=['polynomial']"])["rollout"]
print(f"{'':>12}" + "".join(f"{name:>12}" for name in ("d_stsp", "d_h", "exponent")))
for name, result in {"LSTM": rollout, **rollout["baselines"], "floor": rollout["floors"]}.items():
    values = [result.get(key) for key in ("d_stsp", "d_h", "lyapunov")]
    print(f"{name:>12}" + "".join("           -" if value is None else f"{value:12.3f}" for value in values))

# %% alt="Projections of the attractor: true points, and those of a free run of the network"
figures = {path.stem: path for path in plot("run")}
display(Image(figures["attractor"], width=720))

# %% [markdown]
# ## 3. How fast neighbours part
#
# The last column above is the largest Lyapunov exponent of each model's own closed loop, by two runs next
# to each other. That of the equations is the floor's. A model that has the exponent wrong is on another
# attractor, however alike it looks.

# %% [markdown]
# ## What to write down
#
# - The valid prediction time in Lyapunov times, with the threshold, the number of starts and the length of
#   the history.
# - Statistics with the number of points, beside their floor.
# - A cheap baseline that is fitted on the same rows. On exact data least squares lead; where data are noisy
#   or partial the order is another: [Studies](../studies.md) has Lorenz-63 with noise of 1 and 5 %, and
#   through $x$ alone, at full length.
#
# [Evaluation](../evaluation.md) defines every metric, with its source and what it is blind to.

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A family and a held-out parameter
#
# One network for all damped oscillators $\ddot x = -k x - c \dot x$: the damping $c$ differs from row to
# row, and is told to the network. Then the question that matters: is it right at values of $c$ that it has
# not seen, within the range of those it has, and beyond?

# %% [markdown]
# ## Values that are held out
#
# In train and validation $c$ is drawn from $[0, 0.2]$ or $[0.3, 0.5]$. In test it is one of eight values:
# in the gap, and beyond either end. The first two are two datasets, merged, so that each has its law of
# $c$; the section `[system.parameters_by_split.test]` gives the test split values of its own.

# %%
from pathlib import Path

CONFIG = """
[system]
name = "damped-oscillator"
equations = {{ x = "v", v = "-k*x - c*v" }}
parameters = {{ k = 1.0, c = {{ uniform = [{low}, {high}] }} }}
initial_state = {{ x = [-1.0, 1.0], v = [-1.0, 1.0] }}

[system.parameters_by_split.test]
c = {{ values = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75] }}

[grid]
duration = 6.0
points = 61

[dataset]
train = 2_000
validation = 200
test = 400
seed = {seed}

[task]
name = "initial-value"
parameters = ["c"]
normalize = true

[model]
hidden = 16
encoder = [16]

[training]
batch = 128
steps = 1_200
evaluate_every = 100
learning_rate = 1e-2
"""
for seed, (name, low, high) in enumerate([("weak", 0.0, 0.2), ("strong", 0.3, 0.5)]):
    Path(f"{name}.toml").write_text(CONFIG.format(low=low, high=high, seed=seed))

# %%
from trajstore.pipeline import generate, load_config, merge

for name in ("weak", "strong"):
    generate(load_config(f"{name}.toml"), name)
merge(["weak", "strong"], "family")

# %% [markdown]
# Each row keeps its own $c$, beside its states. `parameters` makes it a channel of the inputs, constant in
# time:

# %% alt="How often each damping occurs: two ranges in the train split, eight values in the test split"
import matplotlib.pyplot as plt
from trajstore.data import TrajectoryDataset

for split in ("train", "test"):
    inputs, _ = TrajectoryDataset("family", split, "initial-value", parameters=["c"])[:]
    c = inputs[:, 0, -1]
    plt.hist(c, bins=40, range=(0, 0.8), density=True, alpha=0.6, label=split)
plt.xlabel("damping c")
plt.ylabel("density")
plt.legend()

# %% [markdown]
# ## Told, and not told
#
# `[task] parameters = ["c"]` tells the network $c$ at every step. Beside it, the same network without: it
# sees where a trajectory begins, and must guess how it is damped.

# %%
from trajstore.pipeline import evaluate, train

for run, told in {"told": "['c']", "not-told": "[]"}.items():
    train(load_config("weak.toml", [f"task.parameters={told}"]), "family", run)
    print(f"{run:>8}: test error {evaluate(run)['test']['mse']:.2g}")

# %% [markdown]
# ## By the value of c
#
# The mean over the test split hides what was asked. So the errors one by one, in the units that the network
# sees, standard deviations:

# %%
import torch
from trajstore.pipeline import load_trained

task = "initial-value"
learned = TrajectoryDataset("family", "train", task, parameters=["c"], normalize=True)
test = TrajectoryDataset(
    "family",
    "test",
    task,
    parameters=["c"],
    normalize=learned.normalizer,
    parameter_normalizer=learned.parameter_normalizer,
)
raw, _ = TrajectoryDataset("family", "test", task, parameters=["c"])[:]
c = raw[:, 0, -1].double().round(decimals=2)
inputs, targets = test[:]
errors = {}
with torch.no_grad():
    for run, channels in {"told": 3, "not-told": 2}.items():
        config, model = load_trained(run)
        square = (model(inputs[..., :channels]) - targets).square().mean((1, 2))
        errors[run] = {value: square[c == value].mean().sqrt().item() for value in c.unique().tolist()}

print("   c" + "".join(f"{run:>10}" for run in errors))
for value in errors["told"]:
    print(f"{value:4}" + "".join(f"{error[value]:10.2g}" for error in errors.values()))

# %% alt="Error by the damping, of the network that is told it and of the one that is not"
for run, error in errors.items():
    plt.semilogy(list(error), list(error.values()), "o-", label=run)
for low, high in ((0.0, 0.2), (0.3, 0.5)):
    plt.axvspan(low, high, color="0.9")
plt.xlabel("damping c (shaded: learned from)")
plt.ylabel("error, standard deviations")
plt.legend()

# %% [markdown]
# In the gap the network that is told is as good as beside it: it has learned how solutions depend on $c$,
# not a list of them. Beyond the range the error grows from value to value. The one that is not told is best
# in the middle, where a guess costs least. A split that draws its values from the same range as train would
# have shown neither.
#
# A single trajectory at a damping of your own is a rollout. The parameter goes in by its name, as it is;
# what the network sees instead, a number of standard deviations, is the run's business.

# %%
from trajstore.pipeline import load_normalizer, roll_out

config, model = load_trained("told")
path = roll_out(model, load_normalizer(config), task, [[1.0, 0.0]], config.window, 1, parameters={"c": 0.25})
print("x(0) = 1, v(0) = 0, c = 0.25: the last state is", path[0, -1].round(2))

# %% [markdown]
# `evaluate` judges a run on another dataset as well, `evaluate(run, data="elsewhere")`, so that a family
# that was held out may also be made later: baselines are then fitted on what the run was trained on, and the
# dataset needs no train split.

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Van der Pol, from equation to figure
#
# The van der Pol oscillator is a spring whose friction changes its sign: within $|x_1| < 1$ it is pushed,
# outside it is slowed down,
#
# $$ \dot x_1 = x_2, \qquad \dot x_2 = \mu\,(1 - x_1^2)\,x_2 - x_1, $$
#
# and so every trajectory comes to the same limit cycle. It is a classic exercise to let an LSTM learn its
# trajectories: the network is given $x(0)$ at the first step and zeros after, and is to tell the whole
# trajectory. With plain SGD it struggles. Here is how that looks, why it is so, and what cures it.

# %% [markdown]
# ## From the equation to a dataset
#
# An experiment is one config. The system is one of the library; your own would have its equations here, as
# text.

# %%
from pathlib import Path

Path("exercise.toml").write_text("""
[system]
name = "van-der-pol"
parameters = { mu = 0.1 }
initial_state = { x1 = [-5.0, 5.0], x2 = [-5.0, 5.0] }

[grid]
duration = 2.0
step = 0.1

[dataset]
train = 20_000
validation = 1_000
test = 1_000

[task]
name = "initial-value"

[model]
name = "lstm"
hidden = 20

[training]
optimizer = "sgd"
learning_rate = 0.05
schedule = "constant"
batch = 20
steps = 500

[evaluation]
rollouts = 16
rollout_lengths = 10
""")

# %% [markdown]
# `generate` integrates the 22 000 trajectories by adaptive Taylor series, each to nearly the last digit of
# double precision. (In a terminal it is `trajstore generate exercise.toml --out dataset`; each stage below
# has a command of the same name.)

# %%
from trajstore.pipeline import evaluate, generate, load_config, plot, train

config = load_config("exercise.toml")
made = generate(config, "dataset")
print({name: split.trajectories for name, split in made.manifest.splits.items()}, made.manifest.id)

# %% [markdown]
# Is it right? Let another engine, which shares nothing with the first but the equations, integrate some
# rows again.

# %%
from trajstore.pipeline import reintegrate, verify

print("problems:", verify("dataset"))
print("problems of rows that were integrated again:", reintegrate("dataset", rows=20).problems)

# %% [markdown]
# ## The exercise
#
# 500 steps of plain SGD, and then 2000, batches of 20.

# %%
runs = {"500 steps": "500", "2000 steps": "2000"}
metrics = {}
for label, steps in runs.items():
    config = load_config("exercise.toml", [f"training.steps={steps}"])
    train(config, "dataset", f"sgd-{steps}")
    metrics[label] = evaluate(f"sgd-{steps}")["test"]
    print(f"{label}: test error {metrics[label]['mse']:.2g}, nrmse {metrics[label]['nrmse']:.2g}")

# %% [markdown]
# What do they tell of the same test trajectories? Black is the truth, colours are the network's.

# %% alt="Eight test trajectories in the plane, and what each of the two networks tells of them"
import matplotlib.pyplot as plt
from trajstore.data import TrajectoryDataset
from trajstore.pipeline import load_normalizer, load_trained, roll_out

test = TrajectoryDataset("dataset", "test", "initial-value")
truth = test.states(list(range(8)))  # (8, 21, 2), raw units


def told(run, starts, lengths=1):
    config, model = load_trained(run)
    return roll_out(model, load_normalizer(config), "initial-value", starts, window=21, lengths=lengths)


def beside_the_truth(runs):
    _, panels = plt.subplots(1, len(runs), figsize=(4 * len(runs), 4), sharex=True, sharey=True)
    for axes, (label, run) in zip(panels, runs.items(), strict=True):
        for true, path in zip(truth, told(run, truth[:, 0]), strict=True):
            axes.plot(*true.T, color="black", lw=0.8)
            axes.plot(*path.T, lw=1.6)
            axes.plot(*true[0], "ko", ms=3)
        axes.set(title=label, xlabel="$x_1$", aspect="equal")
    panels[0].set_ylabel("$x_2$")


beside_the_truth({"SGD, 500 steps": "sgd-500", "SGD, 2000 steps": "sgd-2000"})

# %% [markdown]
# ## Why it struggles
#
# It improves if trained longer; but look at where the error is. It is largest at $t = 0$, where the network
# has only to repeat what it was given. Its memory begins as zeros, and a single step has to bring $x(0)$
# into it.

# %% alt="Mean squared error over time, of the two networks trained by SGD; both are largest at t = 0"
times = [0.1 * k for k in range(21)]
for label, result in metrics.items():
    plt.semilogy(times, result["mse_by_time"], label=label)
plt.xlabel("time")
plt.ylabel("mean squared error")
plt.legend()

# %% [markdown]
# ## The cure
#
# Three changes, and the network becomes smaller: `encoder` lets a perceptron make the first memory of
# $x(0)$; the states are standardised; and Adam, then Levenberg and Marquardt's method, take the place of
# SGD. The latter knows the curvature of the error, which plain gradients lack. Leave out one at a time to
# see what each is worth.

# %%
cured = [
    "task.normalize=true",
    "model.hidden=12",
    "model.encoder=[20, 20]",
    "training.optimizer='adam'",
    "training.learning_rate=7e-3",
    "training.schedule='cosine'",
    "training.batch=128",
    "training.steps=1500",
    "training.evaluate_every=250",
    "refinement.steps=30",
]
train(load_config("exercise.toml", cured), "dataset", "cured")
result = evaluate("cured")
metrics["cured"] = result["test"]
smaller = metrics["2000 steps"]["mse"] / metrics["cured"]["mse"]
print(f"test error {metrics['cured']['mse']:.2g}, {smaller:.0f} times smaller")

# %% alt="Mean squared error over time of the three networks; the cured one lies far below"
for label, of_test in metrics.items():
    plt.semilogy(times, of_test["mse_by_time"], label=label)
plt.xlabel("time")
plt.ylabel("mean squared error")
plt.legend()

# %% [markdown]
# A number says little alone. Beside it stand least squares: polynomials of $x(0)$, straight to each later
# time.

# %%
for name, baseline in result["baselines"].items():
    print(f"{name:>14}: {baseline['mse'] if isinstance(baseline, dict) else baseline:.2g}")

# %% [markdown]
# ## Beyond what was learned
#
# Each network has seen two seconds only. Its last state may be the next $x(0)$, and so on: chained, it goes
# as far as you like.

# %% alt="Chained predictions over twenty seconds, by a network trained by SGD and by the cured one"
start = truth[2:3, 0]
for label, run in {"SGD, 2000 steps": "sgd-2000", "cured": "cured"}.items():
    path = told(run, start, lengths=10)[0]
    plt.plot([0.1 * k for k in range(len(path))], path[:, 0], label=label)
plt.xlabel("time")
plt.ylabel("$x_1$")
plt.legend(loc="upper right")

# %% [markdown]
# `plot` draws what an evaluation has. This is the figure of the errors of rollouts, beside the cheap
# baselines:

# %% alt="Errors of rollouts over time, of the cured network and of baselines"
from IPython.display import Image, display

figures = {path.stem: path for path in plot("cured")}
display(Image(figures["growth"], width=720))

# %% [markdown]
# One of them is better still: a polynomial map from each state to the next, by least squares. On exact and
# complete data that is often so, which is why it stands in every table; [Chaos, and how to judge
# it](chaos.py) tells more.
#
# ## At full size
#
# The default experiment of the repository, `make`, has more data and 400 steps of refinement: a test error
# of 2.8e-8, from 1778 parameters, in two to four minutes. `make study STUDY=van-der-pol` trains the
# exercise for up to 40 000 steps beside it; [Studies](../studies.md) tells what came of it.

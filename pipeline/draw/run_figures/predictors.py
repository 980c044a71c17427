"""Test error of the model beside the trivial predictors."""

from typing import Any

from matplotlib.figure import Figure

from ..run_labels import Results, is_forecast, model_label, noise_floor, run_title
from ..style import BLUE, FLOW, PREDICTED, TRUE, new_figure

# Behind text, so that no line runs through it.
PAPER = {"color": "white", "pad": 1.0}


def draw_predictors(results: Results) -> Figure:
    """Test error of the model beside the trivial predictors: dots, for a logarithmic axis has no origin for bars."""
    metrics = results["metrics"]
    entries = [(name.replace("-", " "), value["mse"]) for name, value in metrics["baselines"].items()]
    model = model_label(results)
    entries = sorted([*entries, (model, metrics["test"]["mse"])], key=lambda entry: -entry[1])
    figure = new_figure(5.2, 0.32 * len(entries) + 1.0)
    axes = figure.add_subplot()
    names, values = zip(*entries, strict=True)
    noise = noise_floor(results)
    axes.hlines(
        range(len(values)), 0.0, 1.0, transform=axes.get_yaxis_transform(), color=FLOW, lw=0.5, zorder=0
    )
    for position, (name, value) in enumerate(entries):
        axes.plot(value, position, "o", color=PREDICTED if name == model else BLUE, ms=6)
        place: dict[str, Any] = {"xytext": (7, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(f"{value:.3g}", (value, position), **place, fontsize=8, bbox=PAPER)
    if noise is not None:
        axes.axvline(noise, color=TRUE, lw=0.9, ls=":", label="noise")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center")
    of = " of one-step forecasts" if is_forecast(results) else ""
    axes.set(xscale="log", xlabel=f"mean squared error{of} on the test split")
    axes.set_title(run_title(results), loc="left")
    axes.margins(x=0.2)
    axes.set_ylim(-0.6, len(values) - 0.4)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    return figure

"""Power spectra of free runs."""

from matplotlib.figure import Figure

from ...judge.truth import CURVES
from ..run_labels import Results, component_label, model_label, run_title
from ..style import PREDICTED, TRUE, new_figure, positive

# Decades below the largest power that are shown.
DECADES = 10


def draw_spectra(results: Results) -> Figure | None:
    """Mean power of each component over frequency, true and of what is judged. None where no free runs were made."""
    if "spectrum_true" not in results or "spectrum_predicted" not in results:
        return None
    components = min(len(results["config"].components), CURVES)
    figure = new_figure(6.4, 1.5 * components + 0.9)
    panels = figure.subplots(components, 1, sharex=True, squeeze=False)[:, 0]
    frequency = results["spectrum_frequency"][1:]
    for component, axes in enumerate(panels):
        for name, label, colour in (("true", "true", TRUE), ("predicted", model_label(results), PREDICTED)):
            power = results[f"spectrum_{name}"][1:, component]
            axes.plot(frequency, positive(power), color=colour, lw=0.9, label=label)
        top = float(results["spectrum_true"][1:, component].max())
        if top > 0:
            axes.set(yscale="log", ylim=(top * 10.0**-DECADES, 10 * top))
        axes.set_ylabel(f"power of {component_label(results, component)}")
        axes.margins(x=0.01)
    unit = results["config"].config["system"].get("time_unit", "1")
    panels[-1].set_xlabel("frequency" if unit == "1" else f"frequency, 1/{unit}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    statistics = results["metrics"]["rollout"]["statistics"]
    what = f"spectra of {statistics['runs']} free runs of {statistics['points']:,} points"
    figure.suptitle(run_title(results, what), x=0.02, ha="left", fontsize=10)
    return figure

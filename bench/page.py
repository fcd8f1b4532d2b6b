"""The page of a benchmark: what was measured, the sum, and the machine's limits, as tables."""

from statistics import median
from typing import Any

from bench.stages import listed

WORKS = {
    "features": "frozen part, an epoch's augmented images (once for all variants)",
    "transfer": "transfer epoch",
    "fine": "fine epoch",
    "look": "after some fine epochs, another look at the training images, not augmented (`clean_training`)",
}
COSTS = {
    "start": "starting processes, building and tracing networks, writing models",
    "split": "extracting and checking the images",
    "decode": "decoding",
    "features": "the frozen part",
    "transfer": "transfer epochs",
    "fine": "fine epochs",
    "idle": "jobs without a variant left to train",
    "dvc": "DVC",
    "total": "**all, for the same figures**",
    "look": "the training images, not augmented, once more after six fine epochs at most (`clean_training`)",
    "with_look": "**all, as `params.yaml` has it**",
}


def page(content: dict[str, Any]) -> str:
    """The page in Markdown."""
    parts = [
        "# The tutorial's way and the pipeline's, measured",
        introduction(content),
        "## An epoch",
        *(epoch_table(title, numbers) for title, numbers in content["datasets"].items()),
        "## The study",
        study_text(content),
        "## The limits",
        limits_text(content["limits"]),
    ]
    return "\n\n".join(parts) + "\n"


def introduction(content: dict[str, Any]) -> str:
    machine, versions = listed(content["machine"]), listed(content["versions"])
    return (
        f"Written by `python -m bench`. The study's ten variants cost the tutorial's way "
        f"**{content['study_ratio']:.1f} times** what they cost the pipeline for the same figures of every epoch, and "
        f"{content['study_ratio_with_clean_training']:.1f} times with those of clean training images beside them, "
        "which the tutorial's way has none of.\n\n"
        f"- Machine: {machine}.\n- Versions: {versions}.\n"
        f"- Taken: {content['share_of_images']:.0%} of the photographs; medians of {content['rounds']} epochs of each "
        "kind, both ways in turn, each in a process of its own; times are scaled up to all photographs."
    )


def epoch_table(dataset: str, numbers: dict[str, Any]) -> str:
    images = numbers["images"]
    scale = sum(numbers["all_images"].values()) / sum(images.values())
    lines = [
        f"{dataset}: {numbers['all_images']['training']} training and {numbers['all_images']['validation']} validation "
        f"photographs, of which {images['training']} and {images['validation']} were taken. Seconds for all of them:",
        "",
        "| | tutorial | pipeline | times |",
        "| --- | ---: | ---: | ---: |",
    ]
    for work, title in WORKS.items():
        seconds = {way: numbers[way]["epoch_seconds"].get(work) for way in ("tutorial", "pipeline")}
        shown = [_seconds(scale * median(values)) if values else "" for values in seconds.values()]
        times = f"{median(seconds['tutorial']) / median(seconds['pipeline']):.1f}" if seconds["tutorial"] else ""
        lines.append(f"| {title} | {shown[0]} | {shown[1]} | {times} |")
    peaks = [f"{numbers[way]['peak_megabytes']:.0f} MB" for way in ("tutorial", "pipeline")]
    return "\n".join([*lines, f"| peak memory, on what was taken | {peaks[0]} | {peaks[1]} | |"])


def study_text(content: dict[str, Any]) -> str:
    costs = content["study"]
    lines = ["| seconds for | tutorial | pipeline |", "| --- | ---: | ---: |"]
    for name, title in COSTS.items():
        shown = [_seconds(costs[way][name]) if name in costs[way] else "" for way in ("tutorial", "pipeline")]
        lines.append(f"| {title} | {shown[0]} | {shown[1]} |")
    return (
        "The sum over both data sets and ten variants. The tutorial's way runs every epoch of every variant; the "
        "pipeline runs features and the transfer phase once for each data set, to its budget, and each variant's fine "
        f"epochs, {content['jobs']} variants at a time, as `make repro` does; an epoch is measured with as many "
        "beside it. Beside its epochs, each variant starts a process, in both ways; DVC's share is what it "
        "takes for a stage with a small output. Downloads, summary and figures are left out.\n\n" + "\n".join(lines)
    )


def limits_text(limits: dict[str, Any]) -> str:
    peak = limits["matrix_product_gflops"]
    whole, top = limits["whole_network_gflop_an_image"], limits["top_gflop_an_image"]
    rates = limits["images_a_second"]
    lines = ["| | images/s | GFLOP/s | of the machine's best |", "| --- | ---: | ---: | ---: |"]
    for name, rate in rates.items():
        operations = rate * (whole if name.startswith("frozen") else 3 * top if "training" in name else top)
        lines.append(f"| {name} | {rate:.0f} | {operations:.0f} | {operations / peak:.0%} |")
    frozen = rates["frozen network, XNNPACK"] / rates["frozen network, Keras"]
    return (
        f"The best here is TensorFlow's product of large matrices in float32, {peak:.0f} GFLOP/s. The network's "
        f"convolutions take {whole:.2f} GFLOP an image forwards, its top, which is trained, {top:.3f}, and a training "
        f"step three times that. XNNPACK runs the frozen network {frozen:.1f} times as fast as Keras.\n\n"
        + "\n".join(lines)
    )


def _seconds(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"

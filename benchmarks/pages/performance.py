"""docs/performance.md: speed and memory against anomalib, in the same process; what limits us; how cost grows."""

from __future__ import annotations

from common import RESULTS, Data, origin, read, table, verdict
from performance_inference import inference, shares_of_peak

_NAMES = ("attention", "training", "inference", "startup", "growth")


def _attention(found: Data) -> str:
    result = found["result"]
    rows, most, memory = [], dict.fromkeys(result["promised"], 0.0), 0.0
    for row in result["rows"]:
        ways = row["ways"]
        cells: list[object] = [f"{row['heads']} heads, {row['side']} x {row['side']}, {row['precision']}"]
        cells.append(f"{ways['anomalib']['cpu_ms']:.0f} ms, {ways['anomalib']['peak_mib']:.0f} MiB")
        for axis in result["promised"]:
            way = ways[axis]
            low, high = way["ratio_quartiles"]
            cells.append(f"{way['ratio']:.2f} ({low:.2f}-{high:.2f})")
            most[axis] = max(most[axis], way["ratio"])
        memory = max(memory, ways["y"]["memory_ratio"], ways["x"]["memory_ratio"])
        cells += [f"{ways['y']['memory_ratio']:.2f}", f"{ways['both']['memory_ratio']:.2f}"]
        rows.append(cells)
    head = ["", "anomalib", "y", "x", "both", "memory, one axis", "memory, both"]
    text = table(head, rows)
    one = max(most["y"], most["x"])
    text += f"""
One axis: at most {one:.2f} times anomalib's time (target 1.1, {verdict(one <= 1.1)}); both axes: at most {most["both"]:.2f}
(target 1.5, {verdict(most["both"] <= 1.5)}); memory of one axis: at most {memory:.2f} times (target 1, {verdict(memory <= 1)}).

Where the work goes: counted operations and bytes, as shares of what this machine was measured to do ({_peak(result["peak"])}).

"""
    work = []
    for row in result["rows"]:
        for name in ("anomalib", "y", "both"):
            way = row["ways"][name]
            work.append(
                [
                    f"{row['heads']} heads, {row['side']} x {row['side']}, {row['precision']}",
                    name,
                    f"{way['gigaflop']:.1f}",
                    f"{way['megabytes_moved']:.0f}",
                    f"{100 * way['share_of_product_peak']:.0f} %",
                    f"{100 * way['share_of_memory_peak']:.0f} %",
                ]
            )
    text += table(["", "", "GFLOP", "MB moved", "of the peak in products", "of the peak in memory"], work)
    return text + _compiled()


def _compiled() -> str:
    """What torch.compile makes of it, or why it was not measured; from a file of its own."""
    if not (RESULTS / "attention_compiled.json").exists():
        return "\nCompiled attention was not measured.\n"
    found = read("attention_compiled")
    result = found["result"]
    if "not_compiled" in result:
        return f"\n`torch.compile` could not run here: {result['not_compiled']}.\n"
    measured = [row for row in result["rows"] if "y, compiled" in row["ways"]]
    shown = ("y", "both", "anomalib, compiled", "y, compiled", "both, compiled")
    rows = [
        [
            f"{row['heads']} heads, {row['side']} x {row['side']}, {row['precision']}",
            *(f"{row['ways'][name]['ratio']:.2f}" for name in shown),
        ]
        for row in measured
    ]
    command = "`python benchmarks/attention.py --quick --compile --output benchmarks/results/attention_compiled.json`"
    of = [{name: row["ways"][name]["ratio"] for name in shown} for row in measured]
    against = [one[axis] / one["anomalib, compiled"] for one in of for axis in ("y", "both")]
    gained = [one[f"{axis}, compiled"] / one[axis] for one in of for axis in ("y", "both")]
    words = f"""
Compiling makes ours take {min(gained):.2f} to {max(gained):.2f} times the time of what it is without: it is left off. Against
anomalib's when that one is compiled, ours as it is takes {min(against):.2f} to {max(against):.2f} times its time: the figures
above hold for eager mode, which anomalib trains in.
"""
    return f"\nBeside `torch.compile`, times over anomalib's as it is ({command}):\n\n{table(['', *shown], rows)}{words}\n{origin(found)}"


def _peak(peak: Data) -> str:
    return (
        f"{peak['float32'] / 1e9:.0f} GFLOP/s in float32, {peak['bfloat16'] / 1e9:.0f} in bfloat16, "
        f"{peak['bytes'] / 1e9:.0f} GB/s of memory"
    )


def _training(found: Data) -> str:
    result, config = found["result"], found["config"]
    rows = [
        [
            name,
            f"{row['images_per_second']:.2f}",
            f"{row['speed_over_anomalib']:.2f}",
            f"{1 / row['ratio_quartiles'][1]:.2f}-{1 / row['ratio_quartiles'][0]:.2f}",
            f"{row['memory_ratio']:.2f}",
            f"{row['gigaflop']:.0f}",
            f"{100 * row['share_of_product_peak']:.0f} %",
        ]
        for name, row in result["ways"].items()
    ]
    head = ["", "images/s", "times anomalib's float32", "quartiles", "memory, times anomalib's", "GFLOP", "of the peak"]
    text = table(head, rows)
    gains = result["gains"]
    text += "\nGains one by one (times as fast):\n\n" + table(["", ""], [[k, f"{v:.2f}"] for k, v in gains.items()])
    worst = max(row["memory_ratio"] for name, row in result["ways"].items() if "anomalib" not in name)
    text += f"""
With everything {gains["total, directional"]:.2f} times anomalib's images/s (target {result["promised"]["speed"]:g},
{verdict(gains["total, directional"] >= result["promised"]["speed"])}); in float32 alone {gains["total in float32"]:.2f}. Peak memory of
a step at most {worst:.2f} times (target 1, {verdict(worst <= 1)}). Side of the images {config["size"]}, batch {config["batch"]}.
"""
    return text + _auroc()


def _auroc() -> str:
    """AUROC after the same training, from its own file."""
    if not (RESULTS / "training_auroc.json").exists():
        return "The difference in AUROC after the same training was not measured.\n"
    found = read("training_auroc")
    config, ways, told = found["config"], found["result"]["ways"], found["result"]["summary"]
    promised, seeds = found["result"]["promised"], found["config"]["seeds"]
    contrasts = [f"{low} to {high}" for low, high in config["contrasts"]]
    base, *others = ways

    def cell(one: Data) -> str:
        return f"{one['mean']:+.4f} ± {one['half_width']:.4f}, {one['largest']:+.4f}"

    mean = [sum(row["auroc"][i] for row in ways[base]) / seeds for i in range(len(contrasts))]
    rows = [[base, *(f"AUROC {m:.4f}" for m in mean)]] + [[name, *map(cell, told[name])] for name in others]
    text = f"""
AUROC after {config["steps"]} steps from the same weights on the same batches with the same dropout, {seeds} seeds ({config["size"]} x {config["size"]}, batch {config["batch"]},
{config["maps"]} training maps, as many test maps of each kind); position embeddings are resized by timm's own rule in both (anomalib's has
no smoothing, which changes more than speed does). Differences from anomalib, + = better: mean over the seeds with its interval (95 %),
and the largest of a seed, by contrast of the faulty maps:

"""
    text += table(["", *contrasts], rows)
    steps = list(ways[base][0]["losses"])

    def apart(name: str, step: str) -> float:
        pairs = zip(ways[name], ways[base], strict=True)
        return max(abs(a["losses"][step] / b["losses"][step] - 1) for a, b in pairs)

    text += "\nLosses of single steps, as far from anomalib's as in the seed where they are farthest:\n\n"
    text += table(["step", *steps], [[name, *(f"{100 * apart(name, n):.2g} %" for n in steps)] for name in others])
    rounded, ours = others[0], others[1:]
    largest = {name: max((one["largest"] for one in told[name]), key=abs) for name in others}
    means = {name: max((one["mean"] for one in told[name]), key=abs) for name in ours}
    verdicts = [
        ", ".join(f"*{name}* {values[name]:+.4f} ({verdict(abs(values[name]) <= promised)})" for name in ours)
        for values in (means, largest)
    ]
    surely = [name for name in ours if any(abs(one["mean"]) > one["half_width"] for one in told[name])]
    sure = f"The mean differs from none for {' and '.join(surely)}." if surely else "No mean differs from none."
    text += f"""
The target is a difference within {promised:g}. Mean over the seeds, of the contrast where it is larger: {verdicts[0]}. Largest of a
single seed: {verdicts[1]}. {sure} The cache holds encodings in half precision; anomalib's own model, trained again from
first weights that were rounded to half precision once, ends {largest[rounded]:+.4f} away at most: so much, at this length of training, does
rounding by itself, and {seeds} seeds leave the means uncertain by what stands after ±.
Command: `python benchmarks/training_auroc.py`.

{origin(found)}"""
    return text


def _startup(found: Data) -> str:
    result, ratios = found["result"], found["result"]["ratios"]
    rows = [
        [
            f"`{name}`" if name.startswith(("import", "toothwise")) and "," not in name else name,
            f"{row['cpu_seconds']:.3f} s",
            f"{row['median_seconds']:.3f} s",
            row["promised_seconds"] or "-",
        ]
        for name, row in result.items()
        if name != "ratios"
    ]
    text = table(["", "of the processor", "by the clock, while other work ran", "promised by the clock"], rows)
    share = ratios["predict, ONNX Runtime / PyTorch"]
    return (
        text
        + f"""
Scoring one file with an exported Directional Dinomaly in ONNX Runtime takes {share:.2f} of the processor time that the saved one takes
with PyTorch (target a third, {verdict(share <= found["config"]["share"])}); torch is not imported.
"""
    )


def _growth(found: Data) -> str:
    rows, growth = [], found["result"]["growth"]
    for name, row in growth.items():
        span = f"{row['sizes'][0]:,} to {row['sizes'][-1]:,} {row['unit']}"
        rows.append(
            [
                name,
                span,
                f"{row['seconds'][-1]:.2f} s",
                f"{row['exponent_of_time']:.2f}",
                f"{row['peak_mib'][-1]:.0f} MiB",
                f"{row['exponent_of_memory']:.2f}",
            ]
        )
    worse = [n for n, r in growth.items() if max(r["exponent_of_time"], r["exponent_of_memory"]) > 1.1]
    words = (
        f"**Faster than in proportion** (above 1.1): {', '.join(worse)}."
        if worse
        else "None is above 1.1, which counts as proportion."
    )
    head = ["", "sizes", "largest: time", "exponent", "largest: memory", "exponent"]
    picture = "\n![Cost over size](images/growth.png)\n"
    text = f"""
An exponent of 1 is growth in proportion; exponents are fitted to the larger half of the sizes, so that starting costs
matter less. Where one is near 0, the start still outweighs what grows. {words}
"""
    return table(head, rows) + text + picture


_SECTIONS = {
    "attention": (
        "Attention",
        "Forward and backward of `DirectionalLinearAttention` over anomalib's `LinearAttention`, one class token before the "
        "grid, batch 8 at 16 x 16, 2 at 32 x 32 and 1 at 64 x 64; ratios of processor time, with quartiles over the rounds; peak memory counted.",
        _attention,
    ),
    "training": (
        "Training",
        "A step (forward, backward, clip, optimiser) on the same images, batch and encoder (ViT-S/14) as anomalib's "
        "Dinomaly. *Graph*: the encoder ends at its last used block, and the attention above. *Cache*: every image was "
        "encoded before, as from the second epoch on.",
        _training,
    ),
    "inference": ("Inference", "From a map to its score, pre- and post-processing inside the graph.", inference),
    "startup": ("Start-up", "Each in a new process; `toothwise predict` scores one map.", _startup),
    "growth": ("Growth of cost", "Processor time and peak memory over the size of the task.", _growth),
}


def _limits(results: dict[str, Data]) -> str:
    """What limits us next, from the figures of the page."""
    rows = results["attention"]["result"]["rows"]
    shares = {
        precision: [
            way["share_of_product_peak"]
            for row in rows
            if row["precision"] == precision
            for way in [row["ways"]["y"], row["ways"]["both"]]
        ]
        for precision in ("float32", "bfloat16")
    }
    moved = [row["ways"]["both"]["share_of_memory_peak"] for row in rows if row["precision"] == "bfloat16"]
    most = max(max(row["ways"][axis]["memory_ratio"] for axis in "xy") for row in rows)
    most_both = max(row["ways"]["both"]["memory_ratio"] for row in rows)
    reach = {name: f"{100 * min(s):.0f} to {100 * max(s):.0f} %" for name, s in shares.items()}
    gains = results["training"]["result"]["gains"]
    step = results["training"]["result"]["ways"]["directional, cache, bfloat16"]["share_of_product_peak"]
    one, precise = shares_of_peak(results["inference"])
    return f"""## What limits us next

- **Attention**: the projections before and after it are most of the work, and both models have them. Ours reaches {reach["float32"]} of the
  measured peak of products in float32 and {reach["bfloat16"]} in bfloat16: where products are that fast, what is left are passes over
  memory ({100 * min(moved):.0f} to {100 * max(moved):.0f} % of what a copy reaches with both axes in bfloat16) and elementwise operations.
- **Memory of attention**: one axis takes up to {most:.2f} times anomalib's, both up to {most_both:.2f}: with both axes a whole head lies in float32 at a
  time, with its gradients; with one axis a part of its lines.
- **Training**: with the cache what remains is the decoder's matrix products and, at small images, the optimiser, whose cost
  does not depend on the batch. bfloat16 helps the products alone: anomalib gains by it too, and against anomalib in bfloat16 ours is
  {gains["total in bfloat16 against anomalib in bfloat16"]:.2f} times as fast; a step reaches {100 * step:.0f} % of the peak of bfloat16. The cache pays where the encoder is a large part of a step.
- **Inference**: encoder and decoder run in full for every map, and no cache helps. OpenVINO in bfloat16 gains most where the processor
  has it, and reaches {one} of the peak of its products for one map (float32: {precise}); int8 costs accuracy in the encoder, and what the decoder alone gains by it is less than bfloat16 gives.
- **The written gradient is for eager mode.** Under `torch.compile`, and when a graph is exported, the attention falls back to torch's
  own operations, which a compiler can fuse.
"""


def performance() -> str:
    """The page, of the results that there are."""
    results = {name: read(name) for name in _NAMES if (RESULTS / f"{name}.json").exists()}
    parts = []
    for name, found in results.items():
        title, words, section = _SECTIONS[name]
        command = f"Command: `python benchmarks/{name}.py`.\n\n{origin(found)}"
        short = "**A short run** (`--quick`: fewer rounds and sizes). " if found["config"].get("quick") else ""
        parts.append(f"## {title}\n\n{words}\n\n{section(found)}\n{short}{command}")
    waited = [w["wall_ms"] / w["cpu_ms"] for r in results["attention"]["result"]["rows"] for w in r["ways"].values()]
    busy = "**Other work ran on the machine meanwhile**" if max(waited) > 1.3 else "Other work might run on the machine"
    return f"""# Speed and memory

Ratios are measured side by side in one process, one thread, way after way in turns, and are medians over the rounds. {busy}: compared
is therefore the time that the processor spent on each way, and not the clock's; shared caches and memory still make single
figures uncertain by some percent. `make bench-speed` measures everything on this page anew, `make bench` measures a quick set
and tells which ratio moved by more than 20 %.

{"".join(part + chr(10) for part in parts)}
{_limits(results)}"""

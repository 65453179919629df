"""docs/performance.md: speed and memory against anomalib, in the same process; what limits us; how cost grows."""

from __future__ import annotations

from common import RESULTS, Data, origin, read, table

_NAMES = ("attention", "training", "inference", "startup", "growth")


def _verdict(met: bool) -> str:
    return "met" if met else "**missed**"


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
One axis: at most {one:.2f} times anomalib's time (target 1.1, {_verdict(one <= 1.1)}); both axes: at most {most["both"]:.2f}
(target 1.5, {_verdict(most["both"] <= 1.5)}); memory of one axis: at most {memory:.2f} times (target 1, {_verdict(memory <= 1)}).

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
    return text + table(["", "", "GFLOP", "MB moved", "of the peak in products", "of the peak in memory"], work)


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
        ]
        for name, row in result["ways"].items()
    ]
    text = table(["", "images/s", "times anomalib's float32", "quartiles", "memory, times anomalib's"], rows)
    gains = result["gains"]
    text += "\nGains one by one (times as fast):\n\n" + table(["", ""], [[k, f"{v:.2f}"] for k, v in gains.items()])
    worst = max(row["memory_ratio"] for name, row in result["ways"].items() if "anomalib" not in name)
    text += f"""
With everything {gains["total, directional"]:.2f} times anomalib's images/s (target {result["promised"]["speed"]:g},
{_verdict(gains["total, directional"] >= result["promised"]["speed"])}); in float32 alone {gains["total in float32"]:.2f}. Peak memory of
a step at most {worst:.2f} times (target 1, {_verdict(worst <= 1)}). Side of the images {config["size"]}, batch {config["batch"]}.
"""
    if "accuracy" not in result:
        return text + "The difference in AUROC after the same training is not in this run.\n"
    a = result["accuracy"]
    text += f"""
AUROC after {a["steps"]} steps from the same weights on the same batches ({a["size"]} x {a["size"]}, {a["maps"]} training maps, as many
test maps of each kind, contrast 1.1 to 1.3):

"""
    text += table(
        ["", "AUROC", "difference", "loss of the last ten steps"],
        [
            [n, f"{r['auroc']:.4f}", f"{r['auroc_difference']:+.4f}", f"{r['last_loss']:.4f}"]
            for n, r in a["ways"].items()
        ],
    )
    loss = max(abs(r["auroc_difference"]) for r in a["ways"].values())
    met = _verdict(loss <= result["promised"]["auroc"])
    return text + f"\nLargest difference {loss:.4f} (target {result['promised']['auroc']:g}, {met}).\n"


def _inference(found: Data) -> str:
    rows, result = [], found["result"]
    for row in result["rows"]:
        low, high = row["ratio_quartiles"]
        spread = f"{1 / row['ratio']:.2f} ({1 / high:.2f}-{1 / low:.2f})"
        rows.append([row["batch"], row["way"], f"{row['cpu_ms']:.0f}", f"{row['maps_per_second']:.1f}", spread])
    one = {r["way"]: 1 / r["ratio"] for r in result["rows"] if r["batch"] == 1}
    own = one["directional, own encoder, float32"]
    text = table(["batch", "", "ms", "maps/s", "times anomalib's"], rows)
    return (
        text
        + f"""
One map with the package's own encoder, in float32: {own:.1f} times as fast as anomalib's ViT-S (target
{result["promised"]["one_map"]:g}, {_verdict(own >= result["promised"]["one_map"])} with PyTorch). Not measured yet: ONNX Runtime, OpenVINO,
int8, their AUROC and the share of the same decisions.
"""
    )


def _startup(found: Data) -> str:
    rows = [
        [
            f"`{name}`",
            f"{row['median_seconds']:.3f} s",
            f"{row['largest_seconds']:.3f} s",
            row["promised_seconds"] or "-",
        ]
        for name, row in found["result"].items()
        if name != "ratios"
    ]
    return table(["", "median", "largest", "promised"], rows)


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
        else "Nothing grows faster than that."
    )
    head = ["", "sizes", "largest: time", "exponent", "largest: memory", "exponent"]
    picture = "\n![Cost over size](images/growth.png)\n"
    return table(head, rows) + f"\nAn exponent of 1 is growth in proportion. {words}\n" + picture


_SECTIONS = {
    "attention": (
        "Attention",
        "Forward and backward of `DirectionalLinearAttention` over anomalib's `LinearAttention`, one class token before the "
        "grid; ratios of processor time, with quartiles over the rounds; peak memory counted.",
        _attention,
    ),
    "training": (
        "Training",
        "A step (forward, backward, clip, optimiser) on the same images, batch and encoder (ViT-S/14) as anomalib's "
        "Dinomaly. *Graph*: the encoder ends at its last used block, and the attention above. *Cache*: every image was "
        "encoded before, as from the second epoch on.",
        _training,
    ),
    "inference": ("Inference", "From a map to its score, PyTorch; decoder of random weights.", _inference),
    "startup": ("Start-up", "Each in a new process.", _startup),
    "growth": ("Growth of cost", "Processor time and peak memory over the size of the task.", _growth),
}

_LIMITS = """## What limits us next

- **Attention**: the projections before and after it are most of the work, and both models have them. What was gained lies
  between them: `elu` and its gradient are slow on a CPU, slices were copied. What is left there is passes over memory.
- **Training**: with the cache what remains is the decoder's matrix products and, at small images, the optimiser, whose cost
  does not depend on the batch. bfloat16 helps the products alone. The cache pays where the encoder is a large part of a step.
- **The written gradient is for eager mode.** Under `torch.compile`, and when a graph is exported, the attention falls back to torch's
  own operations, which a compiler can fuse. Compiled attention has not been measured here (`--compile`).
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
{_LIMITS}"""

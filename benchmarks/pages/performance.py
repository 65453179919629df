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
    rows = [
        [f"{row['heads']} heads, {row['side']} x {row['side']}, {row['precision']}"]
        + [
            f"{row['ways'][name]['ratio']:.2f}"
            for name in ("y", "both", "anomalib, compiled", "y, compiled", "both, compiled")
        ]
        for row in result["rows"]
        if "y, compiled" in row["ways"]
    ]
    head = ["", "y", "both", "anomalib, compiled", "y, compiled", "both, compiled"]
    command = "`python benchmarks/attention.py --quick --compile --output benchmarks/results/attention_compiled.json`"
    return (
        f"\nBeside `torch.compile`, times over anomalib's as it is ({command}):\n\n{table(head, rows)}\n{origin(found)}"
    )


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
    return text + _auroc()


def _auroc() -> str:
    """AUROC after the same training, from its own file."""
    if not (RESULTS / "training_auroc.json").exists():
        return "The difference in AUROC after the same training was not measured.\n"
    found = read("training_auroc")
    config, ways, promised = found["config"], found["result"]["ways"], found["result"]["promised"]
    text = f"""
AUROC after {config["steps"]} steps from the same weights on the same batches with the same dropout ({config["size"]} x {config["size"]}, {config["maps"]} training maps, as many
test maps of each kind, contrast {config["contrast"][0]} to {config["contrast"][1]}); position embeddings are resized by timm's own rule in both (anomalib's
has no smoothing, which changes more than speed does). The interval of the difference (95 %) is over test maps:

"""
    rows = [
        [
            row["seed"],
            name,
            f"{row['auroc']:.4f}",
            f"{row['auroc_difference']:+.4f} ({row['interval'][0]:+.4f} to {row['interval'][1]:+.4f})",
            f"{row['last_loss']:.4f}",
        ]
        for name, each in ways.items()
        for row in each
    ]
    rows.sort(key=lambda row: row[0])
    text += table(["seed", "", "AUROC", "difference", "loss of the last ten steps"], rows)
    ours = [row for name, each in ways.items() if "anomalib" not in name for row in each]
    apart = max((row["auroc_difference"] for row in ours), key=abs)
    by_way = {
        name: max((row["auroc_difference"] for row in each), key=abs)
        for name, each in ways.items()
        if "anomalib" not in name
    }
    apart_words = (
        f"Apart by up to {apart:+.4f} (target within {promised:g}, {_verdict(abs(apart) <= promised)}; + = ours is better): "
        + ", ".join(f"{name} {value:+.4f}" for name, value in by_way.items())
        + "."
    )
    text += f"""
{apart_words} Command: `python benchmarks/training.py --part auroc`.

{origin(found)}"""
    return text


def _inference(found: Data) -> str:
    result, config = found["result"], found["config"]
    ways, promised = result["ways"], result["promised"]
    rows = []
    for name, way in ways.items():
        cells: list[object] = [name]
        for batch in (1, 32):
            facts = way.get(f"batch_{batch}")
            if facts is None:
                cells += ["-", "-"]
                continue
            low, high = facts["ratio_quartiles"]
            shown = f"{facts['cpu_ms']:.0f} ms" if batch == 1 else f"{facts['maps_per_second']:.1f} maps/s"
            cells += [shown, f"{1 / facts['ratio']:.2f} ({1 / high:.2f}-{1 / low:.2f})"]
        cells.append(f"{way['auroc']:.4f}" if "auroc" in way else "-")
        lost = "auroc_loss" in way
        cells += [f"{way['auroc_loss']:+.4f}", f"{100 * way['same_decisions']:.1f} %"] if lost else ["-", "-"]
        rows.append(cells)
    head = ["", "one map", "times anomalib's", "32 maps", "times anomalib's", "AUROC", "lost", "same decisions"]
    text = table(head, rows)
    text += f"""
Trained in {config["steps"]} steps on {config["training_maps"]} healthy maps of domain C; AUROC on {config["test_maps"]} healthy and as many faulty maps (contrast
{config["contrast"][0]} to {config["contrast"][1]}) of recordings that training did not see; *lost* and *same decisions* are told from the same detector in PyTorch, float32,
at its threshold for {100 * config["false_alarm_rate"]:g} % false alarms. anomalib has the weights of the plain detector and a score of its own. int8: static,
calibrated on {config["calibration"]} healthy maps, all products with weights. PyTorch's bfloat16 is the decoder's alone (encodings stay float32);
ONNX Runtime computes no bfloat16 on this processor's kind; int8 of PyTorch was not tried. One thread; 32 maps at a time: of the
directional kind alone, whose time the plain one has nearly; - = not measured.

"""
    good = {
        name: way
        for name, way in ways.items()
        if way.get("auroc_loss", 1.0) <= promised["auroc_loss"] and way["same_decisions"] >= promised["same_decisions"]
    }
    for words, part, wanted in (
        ("ViT-S", "ViT-S", promised["speed"]),
        ("the package's own encoder", "own encoder", promised["one_map"]),
    ):
        for kind in ("plain", "directional"):
            mine = {name: way for name, way in good.items() if name.startswith(f"{kind}, {part}")}
            if not mine:
                text += f"- {kind}, {words}: no variant holds AUROC and decisions.\n"
                continue
            name = min(mine, key=lambda n: mine[n]["batch_1"]["ratio"])
            speed, batch = 1 / mine[name]["batch_1"]["ratio"], mine[name].get("batch_32")
            many = f", 32 maps {1 / batch['ratio']:.1f} times" if batch else ""
            text += (
                f"- {kind}, {words}: the fastest that holds AUROC (lost at most {promised['auroc_loss']:g}) and decisions "
                f"({100 * promised['same_decisions']:g} % the same) is {name.split(', ', 2)[2]}: one map {speed:.1f} times as fast "
                f"as anomalib's ViT-S (target {wanted:g}, {_verdict(speed >= wanted)}){many}.\n"
            )
    failed = [n for n, w in ways.items() if "int8" in n and "alone" not in n and "auroc_loss" in w and n not in good]
    if failed:
        worst = max(ways[name]["auroc_loss"] for name in failed)
        text += (
            f"- int8 does not hold in {len(failed)} of {sum('int8' in n and 'alone' not in n for n in ways)} variants (up to "
            f"{worst:.4f} AUROC lost), and is slower than bfloat16 where the processor has that: it is not offered by "
            "`toothwise export`.\n"
        )
    return text


def _startup(found: Data) -> str:
    result, ratios = found["result"], found["result"]["ratios"]
    rows = [
        [
            f"`{name}`" if name.startswith(("import", "toothwise")) and "," not in name else name,
            f"{row['median_seconds']:.3f} s",
            f"{row['largest_seconds']:.3f} s",
            f"{row['cpu_seconds']:.3f} s",
            row["promised_seconds"] or "-",
        ]
        for name, row in result.items()
        if name != "ratios"
    ]
    text = table(["", "median", "largest", "of the processor", "promised"], rows)
    share = ratios["predict, ONNX Runtime / PyTorch"]
    return (
        text
        + f"""
Scoring one file with an exported Directional Dinomaly in ONNX Runtime takes {share:.2f} of the processor time that the saved one takes
with PyTorch (target a third, {_verdict(share <= found["config"]["share"])}); torch is not imported.
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
    "inference": ("Inference", "From a map to its score, pre- and post-processing inside the graph.", _inference),
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
    reach = {name: f"{100 * min(s):.0f} to {100 * max(s):.0f} %" for name, s in shares.items()}
    gains = results["training"]["result"]["gains"]
    return f"""## What limits us next

- **Attention**: the projections before and after it are most of the work, and both models have them. Ours reaches {reach["float32"]} of the
  measured peak of products in float32 and {reach["bfloat16"]} in bfloat16: where products are that fast, what is left are passes over
  memory ({100 * min(moved):.0f} to {100 * max(moved):.0f} % of what a copy reaches with both axes in bfloat16) and elementwise operations.
- **Memory of attention**: one axis takes up to {most:.2f} times anomalib's. Where it is more than 1, queries, keys and values of one head
  and their gradients lie in float32 at a time, which anomalib holds in bfloat16; less would take the lines of a head in parts.
- **Training**: with the cache what remains is the decoder's matrix products and, at small images, the optimiser, whose cost
  does not depend on the batch. bfloat16 helps the products alone: anomalib gains by it too, and against anomalib in bfloat16 ours is
  {gains["total in bfloat16 against anomalib in bfloat16"]:.2f} times as fast. The cache pays where the encoder is a large part of a step.
- **Inference**: encoder and decoder run in full for every map, and no cache helps. OpenVINO in bfloat16 gains most where the processor
  has it; int8 costs accuracy in the encoder, and what the decoder alone gains by it is less than bfloat16 gives.
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

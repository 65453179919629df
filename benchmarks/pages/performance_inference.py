"""The part of docs/performance.md about inference: engines, precisions, threads."""

from __future__ import annotations

from common import RESULTS, Data, read, table, verdict

__all__ = ["inference", "shares_of_peak"]


def inference(found: Data) -> str:
    """Table and conclusions."""
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
ONNX Runtime computes no bfloat16 on this processor's kind; int8 of PyTorch was not tried. One thread; *one map*: of five that a
way scores one by one when it is its turn; 32 maps at a time: of the
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
                f"as anomalib's ViT-S (target {wanted:g}, {verdict(speed >= wanted)}){many}.\n"
            )
    failed = [n for n, w in ways.items() if "int8" in n and "alone" not in n and "auroc_loss" in w and n not in good]
    if failed:
        worst = max(ways[name]["auroc_loss"] for name in failed)
        text += (
            f"- int8 everywhere does not hold in {len(failed)} of {sum('int8' in n and 'alone' not in n for n in ways)} variants (up to "
            f"{worst:.4f} AUROC lost).\n"
        )
    alone = {n: 1 / w["batch_1"]["ratio"] for n, w in good.items() if "alone" in n}
    if alone:
        told = ", ".join(f"{name.partition(', OpenVINO')[0]} {speed:.1f} times" for name, speed in alone.items())
        name = max(alone, key=lambda n: alone[n])
        same = name.partition(", OpenVINO")[0]
        without = max(1 / w["batch_1"]["ratio"] for n, w in good.items() if n.startswith(same) and "float32" in n)
        text += (
            f"- int8 in the decoder alone holds ({told}), and is "
            f"what a processor without bfloat16 would gain by: {alone[name] / without:.1f} times as fast as the best in float32. `toothwise "
            "export` does not offer it, as it wants healthy maps to calibrate on and gives less than bfloat16.\n"
        )
    return text + _cores()


def _cores() -> str:
    """One map with several threads, from a file of its own."""
    if not (RESULTS / "inference_cores.json").exists():
        return "- Several threads were not measured.\n"
    found = read("inference_cores")
    times = {
        name: (way["batch_1"]["wall_ms"], 1 / way["batch_1"]["ratio"]) for name, way in found["result"]["ways"].items()
    }
    told = "; ".join(
        f"{name} {ms:.0f} ms ({speed:.1f} times)" for name, (ms, speed) in times.items() if "bfloat16" in name
    )
    base = next(ms for name, (ms, speed) in times.items() if speed == 1)
    threads = found["config"]["threads"]
    return (
        f"- With {threads} threads, by the clock, one map takes anomalib's ViT-S in float32 {base:.0f} ms; {told} "
        f"(`python benchmarks/inference.py --fitted DIR --threads {threads}`).\n"
    )


def shares_of_peak(found: Data) -> tuple[str, str]:
    """What OpenVINO reaches of this machine's peak of products with one map, in bfloat16 and in float32: ranges."""
    result, told = found["result"], []
    for precision in ("bfloat16", "float32"):
        shares = [
            flop * 1e9 / (result["ways"][f"{name}, OpenVINO, {precision}"]["batch_1"]["cpu_ms"] / 1e3)
            for name, flop in result["gigaflop"].items()
            if not name.startswith("anomalib")
        ]
        low, high = (100 * s / result["peak"][precision] for s in (min(shares), max(shares)))
        told.append(f"{low:.0f} to {high:.0f} %")
    return told[0], told[1]

"""Engines that run an exported network: ONNX Runtime and OpenVINO. Models come as bytes that were verified before."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np

from toothwise.checks import check_whole
from toothwise.errors import InputError, need

# float32 [n, rows, columns] -> the outputs by name
Engine = Callable[[np.ndarray], dict[str, np.ndarray]]


def threads_of(threads: int | None) -> int:
    """How many threads a network may use: as given, else OMP_NUM_THREADS, else 0 = as the engine thinks best.

    Raises:
        InputError: not a whole number, 1 or more.
    """
    if threads is None:
        word = os.environ.get("OMP_NUM_THREADS", "")
        return int(word) if word.isdigit() else 0
    check_whole(1, threads=threads)
    return threads


def onnx_engine(model: bytes, outputs: Sequence[str], *, threads: int | None, what: str) -> Engine:
    """ONNX Runtime on the CPU, or on CUDA where its GPU package is installed.

    The model is taken from memory, so that it cannot name other files to be read.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        InputError: not a model that it can run.
    """
    onnxruntime = need("onnxruntime", f"{what}: an exported model")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads_of(threads)
    options.log_severity_level = 3
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    try:
        session = onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # its bindings raise classes of their own, with no common base
        raise InputError(f"{what}: ONNX Runtime cannot load it ({' '.join(str(error).split())[:200]})") from None
    given = [node.name for node in session.get_inputs()]
    if given != ["maps"] or not set(outputs) <= {node.name for node in session.get_outputs()}:
        raise InputError(f"{what}: must take 'maps' and give {', '.join(outputs)}, but takes {', '.join(given)}")

    def run(maps: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(outputs, session.run(list(outputs), {"maps": maps}), strict=True))

    return run


def openvino_engine(
    model: bytes, weights: bytes | None, outputs: Sequence[str], *, threads: int | None, what: str, bfloat16: bool
) -> Engine:
    """OpenVINO on the CPU.

    Args:
        model, weights: the files' content; an ONNX model has its weights inside (None).
        outputs: names of what is given.
        threads: None = OMP_NUM_THREADS, else as OpenVINO thinks best.
        what: named in errors.
        bfloat16: compute in it, where the processor has it, in place of float32; OpenVINO would choose by itself.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
        InputError: not a model that it can run.
    """
    openvino = need("openvino", f"{what}: an exported model")
    count = threads_of(threads)
    settings = {"INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32", "PERFORMANCE_HINT": "LATENCY"}
    settings |= {"INFERENCE_NUM_THREADS": str(count)} if count else {}
    try:
        core = openvino.Core()
        read = core.read_model(model) if weights is None else core.read_model(model, weights)
        compiled = core.compile_model(read, "CPU", settings)
    except Exception as error:  # its bindings raise RuntimeError and others
        raise InputError(f"{what}: OpenVINO cannot load it ({' '.join(str(error).split())[:200]})") from None

    def run(maps: np.ndarray) -> dict[str, np.ndarray]:
        # a request of its own for each call: a compiled model's shared one is not safe among threads
        found = compiled.create_infer_request().infer({"maps": maps})
        return {name: np.array(found[name]) for name in outputs}

    return run

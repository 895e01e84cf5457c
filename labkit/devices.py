"""Where training computes and in what: device, number format, memory layout, threads and random state.
Nothing here is decided by a stopwatch: what a row computes follows from its spec alone."""

import ctypes
import os
import sys
import threading
from contextlib import contextmanager, nullcontext
from functools import cache

import torch
from torch import nn

PRECISIONS = ("float32", "bfloat16")
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def best_device(name: str | torch.device | None = None) -> torch.device:
    """The device of this name; without one the GPU where there is one (CUDA, then Apple's), the CPU
    otherwise."""
    if name is not None:
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware: CUDA from compute capability 8; CPUs with
    AVX512-BF16 or AMX, unless oneDNN, which does torch's convolutions there, is told to keep to an older
    instruction set (`ONEDNN_MAX_CPU_ISA`)."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    if device.type != "cpu":
        return False
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "ALL")).upper()
    has = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    newer = any(word in allowed for word in ("BF16", "FP16", "AMX", "AVX10"))
    return has and (allowed in ("ALL", "DEFAULT") or newer)


@cache
def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory for the next batch. By default it gives every large tensor back to the
    system, which has to clear the pages again: about a fifth of the time of training a small network on a
    CPU. Elsewhere a no-op."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt:
        trim_threshold, mmap_threshold = -1, -3  # numbers from malloc.h
        mallopt(trim_threshold, 2**30)
        mallopt(mmap_threshold, 2**25)  # the largest that glibc accepts


_alone = {
    "lock": threading.Lock(),
    "blocks": 0,
    "before": 1,
}  # the number of threads belongs to the whole process


@contextmanager
def one_thread():
    """One thread for torch inside the block: on a few images small networks gain little from more, and where
    another program uses the cores, threads wait long for each other (a second instead of 20 ms a frame).
    Blocks may overlap, as those of two widgets do: the last to end gives back what the first found."""
    with _alone["lock"]:
        if not _alone["blocks"]:
            _alone["before"] = torch.get_num_threads()
        _alone["blocks"] += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _alone["lock"]:
            _alone["blocks"] -= 1
            if not _alone["blocks"]:
                torch.set_num_threads(_alone["before"])


def layout_of(model, precision: str) -> str:
    """The memory layout that `model` trains in: "channels_last", or "contiguous" for float32 with a kernel of
    7x7 or more.

    A fixed rule, so that a row computes the same whatever the machine is doing. Measured on CPUs with and
    without AVX-512: channels_last trains 1.1 to 1.6 times as fast, but large kernels in float32 are up to 15
    % slower in it where there is AVX2 only.
    """
    large = any(max(layer.kernel_size) >= 7 for layer in model.modules() if isinstance(layer, nn.Conv2d))
    return "contiguous" if precision == "float32" and large else "channels_last"


def prepare(model, device: torch.device, precision: str):
    """Make a network ready for a device and a number format.

    Returns:
        The model, moved and in its memory layout, and the context that its forward pass runs in.
    Raises:
        ValueError: where the device does not have the number format: another one would be another experiment.
    """
    if precision == "bfloat16" and not has_bfloat16(device):
        raise ValueError(
            f"precision 'bfloat16': this machine's {device.type} does not have it; use a machine that has "
            "(AVX512-BF16, AMX, or a CUDA GPU since 2020), or precision='float32', which every machine has "
            "and which is a row of its own"
        )
    keep_freed_memory()
    if device.type == "cuda":  # float32 means float32, not the 10 bits of TF32
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    model = model.to(device, memory_format=LAYOUTS[layout_of(model, precision)])
    return model, torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()


@contextmanager
def seeded(seed: int, device: torch.device):
    """Dropout draws from torch's global generator of the device: seed it inside the block, and leave it as it
    was."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):  # otherwise the current GPU is seeded, which may be another one
                torch.cuda.manual_seed(seed)
        before = torch.mps.get_rng_state() if device.type == "mps" else None
        if before is not None:
            torch.mps.manual_seed(seed)
        try:
            yield
        finally:
            if before is not None:
                torch.mps.set_rng_state(before)

"""Lets torchvision be imported beside a CPU-only torch.

The torchvision wheel on the Python package index is built for CUDA. Beside a CPU-only torch its compiled
operators cannot be loaded and the import ends with "operator torchvision::nms does not exist", because
torchvision describes two operators (`nms`, `qnms`) that nothing declared. Declaring their signatures is
enough: transforms, models and data sets then work, `torchvision.ops.nms` and `torchvision.io` do not (read
images with OpenCV or Pillow).

torch itself calls `register` on `import torch`, through the entry-point group `torch.backends` in
pyproject.toml.
"""

from importlib.metadata import PackageNotFoundError, distribution

_library = None  # a torch.library.Library takes its declarations back when it is collected


def _torchvision_is_cuda_build() -> bool:
    try:
        files = distribution("torchvision").files or []
    except PackageNotFoundError:
        return False
    version = next((f for f in files if f.match("torchvision/version.py")), None)
    return version is not None and "+cu" in version.read_text(encoding="utf-8")


def register() -> None:
    """Declare `nms` and `qnms`, only where torch has no CUDA and torchvision is a CUDA build."""
    global _library
    import torch

    if torch.version.cuda is not None or _library is not None or not _torchvision_is_cuda_build():
        return
    _library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

"""On a CUDA GPU a step of a small network is some three hundred kernels, many of them done sooner than the
processor can ask for the next. So a step is recorded once, as a CUDA graph, and replayed."""

from collections.abc import Callable

import torch

from labkit import augment

WARM_UP = 3  # steps before the recording: they make the optimizer's state and choose convolution algorithms


class Recorded:
    """A step that is taken as it is written for the first batches, then recorded, then replayed.

    Args:
        step: image indices, int64 (B,) on the device, -> a loss, a scalar on the device. It may wait for
            nothing, and no shape in it may hang on what is drawn.
        size: B of the batches that are replayed; any other is taken as it is written.
        optimizer: whose learning rate becomes a tensor, since a number would be recorded as it is.
        generator: whatever else draws is torch's own generator of the device.
    """

    def __init__(self, step: Callable, size: int, optimizer, generator: torch.Generator):
        self.step, self.size, self.generator = step, size, generator
        self.stream = torch.cuda.Stream(generator.device)
        self.steps, self.graph = 0, None
        self.index = torch.zeros(size, dtype=torch.int64, device=generator.device)
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(float(group["lr"]), device=generator.device)
            if "capturable" in group:
                group["capturable"] = True

    def __call__(self, index: torch.Tensor) -> torch.Tensor:
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            value = self._step(index)
        torch.cuda.current_stream().wait_stream(self.stream)
        return value

    def _step(self, index: torch.Tensor) -> torch.Tensor:
        if len(index) != self.size or self.steps < WARM_UP:
            self.steps += 1
            return self.step(index)
        self.index.copy_(index)
        if self.graph is None:
            self.graph = torch.cuda.CUDAGraph()
            self.graph.register_generator_state(self.generator)
            with torch.cuda.graph(self.graph, stream=self.stream):
                self.value = self.step(self.index)
        self.graph.replay()
        return self.value


def can_record(device: torch.device, images, amounts: dict) -> bool:
    """Whether a step may be recorded: on a CUDA GPU, with images that lie there, and augmentation whose
    shapes do not hang on what is drawn."""
    in_memory = isinstance(images, torch.Tensor)
    return device.type == "cuda" and in_memory and not augment.SELECTING & set(amounts)

"""The moving average of a network's weights (Polyak and Juditsky 1992)."""

import copy

import torch


class MovingAverage:
    """The exponential moving average of weights and normalisation statistics, begun at the first step's.

    Its decay rises from step n's (1 + n) / (10 + n) to `decay`, so that the random weights of the beginning,
    which would weigh 0.999^360 = 70 % after 360 steps at 0.999, are forgotten first (as TensorFlow's
    ExponentialMovingAverage does). torch's `AveragedModel` asks the device for n at every weight of every
    step, and on a GPU waits for each answer; this one counts itself.

    Attributes:
        module: the averaged network.
        steps: how many it has been told of.
    """

    def __init__(self, model, decay: float):
        self.module, self.decay, self.steps = copy.deepcopy(model), decay, 0

    @torch.no_grad()
    def update(self, model) -> None:
        """Tell it of the weights after a step."""
        kept, new = self._of(self.module), self._of(model)
        share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps)) if self.steps else 1.0
        floats = [i for i, value in enumerate(kept) if value.is_floating_point()]
        torch._foreach_lerp_([kept[i] for i in floats], [new[i] for i in floats], share)
        for i in set(range(len(kept))) - set(floats):  # how many batches a normalisation has seen
            kept[i].copy_(new[i])
        self.steps += 1

    @staticmethod
    def _of(model) -> list[torch.Tensor]:
        return list(model.state_dict().values())

    def state_dict(self) -> dict:
        return {"module": self.module.state_dict(), "steps": self.steps}

    def load_state_dict(self, state: dict) -> None:
        self.module.load_state_dict(state["module"])
        self.steps = state["steps"]

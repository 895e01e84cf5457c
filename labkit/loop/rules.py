"""What happens after an epoch: a rule is a function of the epoch's row of the history and of the network;
where it returns True, training ends. And the learning rate over the steps."""

import copy
import math
from dataclasses import dataclass

import torch

LOSS = "validation_loss"


def one_cycle(done: float) -> float:
    """Share of the highest rate once `done` (0..1) of the steps are over: up in a line for 20 % of them, then
    down to 0 along a cosine (after Smith and Topin 2018)."""
    return 0.04 + 0.96 * done / 0.2 if done < 0.2 else 0.5 * (1 + math.cos(math.pi * (done - 0.2) / 0.8))


SCHEDULES = {
    "constant": lambda done: 1.0,
    "one_cycle": one_cycle,
}  # share of the steps done -> share of the rate
PLATEAU = "plateau"


def make_scheduler(optimizer: torch.optim.Optimizer, config, steps: int):
    """The rate of `config` over so many steps: a scheduler of torch, told of each step, or with "plateau" of
    what is watched after each epoch."""
    if config.schedule == PLATEAU:
        mode = "min" if config.watch == LOSS else "max"
        return torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode, factor=config.reduce_by, patience=config.reduce_after - 1, threshold=0
        )
    shape = SCHEDULES[config.schedule]
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: shape(step / steps))


@dataclass(frozen=True)
class Until:
    """Ends a training with the epoch that reaches everything that is asked of it at once.

    Attributes:
        wanted: name of the history's rows -> at least so much; of the loss at most so much.
    """

    wanted: dict[str, float]

    def __call__(self, row: dict, model=None) -> bool:
        reached = [row[n] <= value if n == LOSS else row[n] >= value for n, value in self.wanted.items()]
        return bool(reached) and all(reached)


@dataclass
class Patience:
    """Ends a training that has not become better for `patience` epochs, and keeps the weights of its best
    epoch.

    Attributes:
        patience: epochs, 1 or more.
        watch: what is watched, a name of the history's rows; the loss is better lower, anything else higher.
        best, best_epoch, weights: the best value so far, its epoch, and a copy of the network's weights then.
    """

    patience: int
    watch: str = LOSS
    best: float = math.inf
    best_epoch: int = 0
    weights: dict | None = None

    def __call__(self, row: dict, model) -> bool:
        value = row[self.watch] if self.watch == LOSS else -row[self.watch]
        if value < self.best:
            self.best, self.best_epoch = value, row["epoch"]
            self.weights = copy.deepcopy(model.state_dict())
        return row["epoch"] - self.best_epoch >= self.patience

    def state_dict(self) -> dict:
        return vars(self).copy()

    def load_state_dict(self, state: dict) -> None:
        vars(self).update(state)

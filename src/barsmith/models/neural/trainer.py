"""The one loop that trains every network: AdamW, warm-up and cosine, clipping, early stopping, the best weights kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from barsmith.errors import DataError
from barsmith.models.fitting import Progress
from barsmith.models.neural.adamw import AdamW
from barsmith.models.neural.batches import Samples, shares_of
from barsmith.models.neural.checkpoint import Checkpoint, Progressed
from barsmith.models.neural.machine import seed_torch
from barsmith.models.neural.params import NetworkParams
from barsmith.models.neural.schedule import rate_factor
from barsmith.models.params import CLASSES

CLIP = 1.0  # the gradient's norm at most
TELL = 0.5  # seconds between two words about an epoch that is under way
AT_ONCE = 512  # windows judged at a time


@dataclass(eq=False)
class Trainer:
    """A network, the windows it learns from, and those that decide when it stops.

    `learn` leaves the network with the kept weights. Its random numbers follow from the seed and the epoch's number alone.
    """

    network: nn.Module
    params: NetworkParams
    train: Samples
    stop: Samples | None
    device: str
    batch_size: int
    seed: int
    progress: Progress | None = None
    checkpoint: Checkpoint | None = None
    interrupted: int = 0  # the exit code that the signal asks for, 130 or 143

    def __post_init__(self) -> None:
        self.network.to(self.device)
        self.optimizer = AdamW(self.network, self.params.weight_decay)
        self.forward: Callable[[torch.Tensor], torch.Tensor] = torch.compile(self.network) if self.params.compile else self.network
        self.batches = shares_of(len(self.train), self.batch_size)
        self.learners = list(getattr(self.network, "learners", [self.network]))  # of an ensemble, each network
        self.judges = self.stop is not None and self.params.early_stopping.enabled
        self.done = Progressed()

    def learn(self) -> Progressed:
        """Epoch after epoch, from the checkpoint on where there is one. Ctrl-C keeps what is kept so far, if an epoch is done.

        Raises DataError `models/diverged` where the loss is no number any more.
        """
        if self.checkpoint is not None:
            self.done = self.checkpoint.load(self.network, self.optimizer) or self.done
        try:
            while self.done.epochs < self.params.max_epochs and not self.is_stopped:
                self.epoch()
        except KeyboardInterrupt as problem:
            if not self.done.epochs:
                raise
            self.interrupted = getattr(problem, "exit_code", 130)
        self.network.load_state_dict(self.done.kept)
        return self.done

    @property
    def is_stopped(self) -> bool:
        return self.judges and self.done.waited >= self.params.early_stopping.patience

    def epoch(self) -> None:
        began, number = time.perf_counter(), self.done.epochs
        losses = {"train": self.learn_once(number)}
        if self.stop is not None:
            losses["stop"], losses["stop_accuracy"] = self.score(self.stop)
        if not all(map(math.isfinite, losses.values())):
            do = "lower training.learning_rate, and look at the features' scale"
            raise DataError("models/diverged", expected="a loss that is a number", came=f"{losses} in epoch {number + 1}", do=do)
        history = {name: [*self.done.history.get(name, ()), loss] for name, loss in losses.items()}
        is_better = not self.judges or losses["stop"] < (math.inf if self.done.best_loss is None else self.done.best_loss) - self.min_delta
        self.done = Progressed(
            epochs=number + 1,
            best_epoch=number if is_better else self.done.best_epoch,
            best_loss=losses.get("stop") if is_better else self.done.best_loss,
            waited=0 if is_better else self.done.waited + 1,
            seconds=self.done.seconds + time.perf_counter() - began,
            history=history,
            kept=copied(self.network) if is_better else self.done.kept,
        )
        if self.checkpoint is not None:
            self.checkpoint.save(self.done, self.network, self.optimizer)
        self.tell(number + 1, losses, self.done.seconds)

    @property
    def min_delta(self) -> float:
        return self.params.early_stopping.min_delta

    def learn_once(self, number: int) -> float:
        """One epoch over all windows in a drawn order; the mean loss."""
        for_order, for_torch = np.random.SeedSequence([self.seed, number]).spawn(2)
        seed_torch(self.device, int(for_torch.generate_state(1)[0]))
        order = torch.from_numpy(np.random.default_rng(for_order).permutation(len(self.train))).to(self.device)
        self.network.train()
        steps, total = self.params.max_epochs * len(self.batches), torch.zeros((), device=self.device)
        began = told = time.perf_counter()
        for count, batch in enumerate(self.batches):
            factor = rate_factor(number * len(self.batches) + count, steps, self.params.warmup)
            total += self.step(order[batch], self.params.learning_rate * factor) * (batch.stop - batch.start)
            if (now := time.perf_counter()) - told > TELL and batch is not self.batches[-1]:  # a whole epoch is told with its score
                told = now
                self.tell(number + batch.stop / len(self.train), {"train": float(total) / batch.stop}, self.done.seconds + now - began)
        return float(total) / len(self.train)

    def step(self, which: torch.Tensor, rate: float) -> torch.Tensor:
        """One step downhill; the batch's mean weighted loss, still on the device."""
        is_half = self.params.device.mixed_precision and self.device != "cpu"
        with torch.autocast(self.device, torch.bfloat16, enabled=is_half):
            logits = self.forward(self.train.gather(which))
        losses = row_losses(logits.float(), self.train.y[which])
        loss = (losses * self.train.weight[which]).mean()
        (loss * len(self.learners)).backward()  # a mean over them: each gets the gradient it would get alone
        for learner in self.learners:
            nn.utils.clip_grad_norm_(learner.parameters(), CLIP)
        self.optimizer.step(rate)
        return loss.detach()

    def score(self, samples: Samples) -> tuple[float, float]:
        """(weighted mean loss, share of rows whose class is the most probable one)."""
        logits = self.logits(samples)
        losses = functional.cross_entropy(logits, samples.y, reduction="none")
        return float((losses * samples.weight).mean()), float((logits.argmax(1) == samples.y).float().mean())

    def logits(self, samples: Samples) -> torch.Tensor:
        """(N, 3) float32 on the device, in full precision."""
        self.network.eval()
        found = torch.empty(len(samples), CLASSES, device=self.device)
        with torch.inference_mode():
            for part in shares_of(len(samples), AT_ONCE):
                found[part] = self.network(samples.gather(torch.arange(part.start, part.stop, device=self.device)))
        return found

    def tell(self, epochs: float, losses: dict[str, float], seconds: float) -> None:
        """Epochs done, a fraction while one is under way; losses, rows a second and seconds left at that pace."""
        if self.progress is not None:
            left = seconds / epochs * (self.params.max_epochs - epochs)
            pace = {"rows_per_second": epochs * len(self.train) / max(seconds, 1e-9), "seconds_left": left}
            self.progress(epochs, self.params.max_epochs, {**losses, **pace})


def row_losses(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """(B,) losses of logits (B, 3); of (B, K, 3), K networks that learn side by side, the mean of theirs."""
    networks = logits.shape[1:-1].numel()
    losses = functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.repeat_interleave(networks), reduction="none")
    return losses.reshape(len(y), networks).mean(dim=1)


def copied(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

"""The record of a search in Optuna's database: what was asked, by whom, and what came of it.

It may be killed and opened again at any moment, and several processes, on one machine or on many, may work on
one record:
  - a trial *stands* where it is done, or where a living process trains it and no earlier one trains the same;
  - every other trial is called off, and so is one whose process has died: its values are asked again;
  - only so many trials stand as the search is to have, the first ones by their number. So two processes that
    ask at the same moment agree on which of them goes on.
"""

import json
import os
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import optuna
import psutil
import sqlalchemy
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from labkit.studies import methods
from labkit.studies.space import Space

BEAT = 20  # seconds between two signs of life of a process
FORGOTTEN = 120  # seconds without one after which a process on another machine counts as dead
BUSY = 60  # seconds that one process waits for another's entry in an SQLite file
OWNER, VALUES, FAILED = "owner", "values", "failed"  # what is noted on a trial
COMPLETE = TrialState.COMPLETE
DONE = (COMPLETE, TrialState.PRUNED)


def storage(url: str) -> optuna.storages.RDBStorage:
    """The database at an address: "sqlite:///FILE" or "postgresql://USER@HOST/NAME". Its tables are made by
    whoever comes first.

    Raises:
        ValueError: for another address.
        OSError: where no database answers, or the file is none.
    """
    if not url.startswith(("sqlite:///", "postgresql://")):
        raise ValueError(f"storage {_shown(url)}: expected sqlite:///FILE or postgresql://USER@HOST/NAME")
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)  # the driver that is installed
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    options = {"connect_args": {"timeout": BUSY}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    for last in (False, False, True):  # two processes that make the tables get in each other's way once
        try:
            with _expected():
                return optuna.storages.RDBStorage(
                    url,
                    options,
                    heartbeat_interval=BEAT,
                    grace_period=FORGOTTEN,
                    heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(),
                )
        except (sqlalchemy.exc.SQLAlchemyError, ValueError, ImportError) as error:
            if last or not isinstance(error, sqlalchemy.exc.DBAPIError):
                reason = str(error).split("\n")[0]
                raise OSError(f"storage {_shown(url)}: {reason}") from None
            time.sleep(1)
    raise AssertionError


def _shown(url: str) -> str:
    """An address without its password."""
    try:
        return sqlalchemy.make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return url


@lru_cache(maxsize=1)
def machine() -> str:
    """What tells this machine from every other: a hundred may share its name, so also when it was started
    and, in a container, which processes it sees."""
    parts = [socket.gethostname(), str(uuid.getnode())]
    with suppress(OSError):  # Linux
        parts += [
            Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            os.readlink("/proc/self/ns/pid"),
        ]
    return " ".join(parts)


def me() -> str:
    """Who owns what this process asks: machine, process, and when it began, since numbers of processes come
    back."""
    return json.dumps([machine(), os.getpid(), psutil.Process().create_time()])


def is_dead(owner: str) -> bool:
    """Whether the process is known to have ended. Of one on another machine only its signs of life tell."""
    host, number, began = json.loads(owner)
    if host != machine():
        return False
    try:
        return abs(psutil.Process(number).create_time() - began) > 1
    except psutil.NoSuchProcess:
        return True


class Record:
    """The trials of one search by one method and seed.

    Args:
        name: of the study in the database; it is made where there is none.
        space, method, seed: what may be chosen, and how.
        wanted: how many trials are to stand in the end, all processes together.
        url: of the database.
        early: epochs after which a trial may be ended that is worse than the median of the others; None =
            never.
    """

    def __init__(
        self, name: str, space: Space, method: str, seed: int, wanted: int, url: str, early: int | None
    ):
        methods.check(method)
        self.space, self.method, self.seed, self.wanted = space, method, seed, wanted
        self.url, self.early = url, early
        self.study, self.storage = _study(name, url, early)
        self._asked: dict[int, optuna.Trial] = {}

    def standing(self) -> list:
        """The trials that stand, `optuna.trial.FrozenTrial`, by number."""
        first: dict = {}
        for trial in self.study.get_trials(deepcopy=False, states=(*DONE, TrialState.RUNNING)):
            if VALUES in trial.user_attrs:
                first.setdefault(tuple(trial.user_attrs[VALUES]), trial)
        return list(first.values())[: self.wanted]

    def done(self) -> list:
        """Those of them that are done."""
        return [trial for trial in self.standing() if trial.state in DONE]

    def ask(self) -> tuple[int, dict] | None:
        """Number and values of a trial for this process to train; None where none is left to ask."""
        self._call_off_the_dead()
        attempt = 0
        while len(standing := self.standing()) < self.wanted:
            tried = {tuple(trial.user_attrs[VALUES]) for trial in standing}
            with _expected():
                trial = methods.propose(self.study, self.space, self.method, self.seed, tried, attempt)
            if trial is None:
                return None
            values = self.space.values(trial.params)
            with suppress(UpdateFinishedTrialError):  # another process took it for a dead one's
                trial.set_user_attr(OWNER, me())
                trial.set_user_attr(VALUES, list(values.values()))
                self.storage.record_heartbeat(trial._trial_id)
                if trial.number in [one.number for one in self.standing()]:
                    self._asked[trial.number] = trial
                    return trial.number, values
                self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            attempt += 1
        return None

    def others_at_work(self) -> bool:
        """Whether nothing is left to ask while other processes, which live, still train."""
        self._call_off_the_dead()
        standing = self.standing()
        running = [trial for trial in standing if trial.state == TrialState.RUNNING]
        return len(standing) >= self.wanted and any(trial.number not in self._asked for trial in running)

    def values(self, trial) -> dict:
        """name -> value of a trial that stands."""
        return dict(zip(self.space.axes, trial.user_attrs[VALUES]))

    def tell(self, number: int, score: float | None, whole: bool = True, scores: dict | None = None) -> None:
        """Note what came of a trial that this process asked. One that was called off in the meantime stays
        so.

        Args:
            score: of a whole training, or of one that was ended early; None where training failed.
            whole: False where it was ended early.
            scores: epoch -> score.
        """
        trial = self._asked.pop(number)
        with suppress(UpdateFinishedTrialError):  # called off
            if score is None:
                trial.set_user_attr(FAILED, True)
            known = self.study.get_trials(deepcopy=False)[number].intermediate_values
            for epoch, value in (scores or {}).items():
                if epoch not in known:
                    trial.report(value, epoch)
        if whole and score is not None:
            self.study.tell(trial, score, skip_if_finished=True)
        else:
            self.study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)

    def let_go(self) -> None:
        """Call off what this process asked and did not tell, so that it is asked again: where a search is
        broken off in a kernel that lives on, or where a trial was lost with its worker."""
        for number, trial in self._asked.items():
            self._call_off(number, trial.params)
        self._asked.clear()

    def _call_off(self, number: int, drawn: dict) -> None:
        with suppress(ValueError, UpdateFinishedTrialError):  # another process was faster
            self.study.tell(number, state=TrialState.FAIL)
            self.study.enqueue_trial(drawn)

    def watch(self, number: int, name: str) -> "Watch":
        """What ends a trial early: `after_epoch` of `training.fit`, also in another process. `name`: of the
        score in a row of the history."""
        return Watch(self.url, self.study.study_name, self._asked[number]._trial_id, self.early, name)

    def _call_off_the_dead(self) -> None:
        """Let the trials of processes that have died be asked again."""
        with _expected():
            optuna.storages.fail_stale_trials(self.study)  # by their signs of life
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            owner = trial.user_attrs.get(OWNER)
            if owner and is_dead(owner):
                self._call_off(trial.number, trial.params)

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Give signs of life for this process's trials until the block ends."""
        over, mine = threading.Event(), me()

        def beat():
            while not over.wait(BEAT):
                with suppress(Exception):  # a database that does not answer now may do so at the next beat
                    for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                        if trial.user_attrs.get(OWNER) == mine:
                            self.storage.record_heartbeat(trial._trial_id)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@contextmanager
def _expected():
    """Optuna warns of what may change in its next versions, and that signs of life are the caller's
    business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.filterwarnings("ignore", "Heartbeat of storage")
        yield


@dataclass(frozen=True)
class Watch:
    """Notes the score of each epoch of a trial in its study, and ends it where the median of the others is
    better."""

    url: str
    study: str
    trial: int
    early: int
    score: str

    def __call__(self, row: dict, model) -> bool:
        study, database = _study(self.study, self.url, self.early)
        with suppress(UpdateFinishedTrialError):  # called off: the training is a row all the same
            database.set_trial_intermediate_value(self.trial, row["epoch"], row[self.score])
            return study.pruner.prune(study, database.get_trial(self.trial))
        return False


@lru_cache(maxsize=4)
def _study(name: str, url: str, early: int | None) -> tuple[optuna.Study, optuna.storages.RDBStorage]:
    """The study of this name, made where there is none, and its database."""
    pruner = optuna.pruners.NopPruner()
    if early is not None:
        pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=early)
    options = {"direction": "maximize", "load_if_exists": True, "pruner": pruner}
    database = storage(url)
    return optuna.create_study(study_name=name, storage=database, **options), database

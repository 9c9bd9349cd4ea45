"""Worker processes that share the parent's memory: forked once, read only, results by number.

What a task gives depends on its arguments alone, and results are put together in the order of
the tasks, so the number of workers never changes a plan.
"""

import ctypes
import gc
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
_PR_SET_PDEATHSIG = 1
POLL = 0.1  # seconds between two looks at whether to stop


class WorkerDiedError(RuntimeError):
    """A worker process ended without an answer: killed from outside, or out of memory."""

    def __init__(self) -> None:
        super().__init__(
            "a worker process died before its region was planned; no plan was made - "
            "plan again with fewer workers or more memory"
        )


def cores() -> int:
    """How many cores this process may use."""
    return max(1, len(os.sched_getaffinity(0)))


_shared: Any = None


def _start() -> None:
    """A worker leaves interrupts to its parent, which says when to stop, and dies with it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _call(function: Callable[[Any, Any], T], argument: object) -> T:
    return function(_shared, argument)


class Crew:
    """``workers`` processes over one ``shared`` value; with one worker, this process itself."""

    def __init__(self, shared: object, workers: int) -> None:
        self.shared, self.workers = shared, workers
        self.pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Crew":
        global _shared
        if self.workers > 1:
            _shared = self.shared
            self.before = multiprocessing.active_children()
            gc.collect()
            gc.freeze()
            fork = multiprocessing.get_context("fork")
            self.pool = ProcessPoolExecutor(self.workers, mp_context=fork, initializer=_start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        global _shared
        if self.pool is not None:
            workers = [it for it in multiprocessing.active_children() if it not in self.before]
            self.pool.shutdown(wait=False, cancel_futures=True)
            for process in workers:
                process.terminate()
            for process in workers:
                process.join()
            _shared = None
            gc.unfreeze()

    def each(
        self,
        function: Callable[[Any, Any], T],
        arguments: Sequence[object],
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[tuple[int, T]]:
        """Number and result of each task as it ends; no more of them once ``stop()``. Raises
        ``WorkerDiedError`` when a worker died, and whatever a task raises."""
        if self.pool is None:
            for number, argument in enumerate(arguments):
                if stop is not None and stop():
                    return
                yield number, function(self.shared, argument)
            return
        try:
            waiting: dict[Future[T], int] = {
                self.pool.submit(_call, function, argument): number
                for number, argument in enumerate(arguments)
            }
            while waiting and not (stop is not None and stop()):
                done, _ = wait(waiting, timeout=POLL, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=lambda it: waiting[it]):
                    yield waiting.pop(future), future.result()
        except BrokenProcessPool:
            raise WorkerDiedError from None

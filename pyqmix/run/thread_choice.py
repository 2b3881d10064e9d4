"""Chooses the number of threads of a run by what its rounds take, while it trains.

Rounds are measured in blocks, which are long compared with the time slices in which a busy core goes from one
program to another: the median round of a busy machine is one that was not interrupted, and says nothing. Two
numbers are compared by pairs of neighbouring blocks, so that episodes that become longer and other programs that
come and go concern both. The greater number must be the faster one in most pairs, and not by little. So doubts
decide for the smaller one, which leaves cores to others and waits for nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from statistics import median

BLOCK = 0.1  # seconds of work that a block has at least
PAIRS, WINS = 5, 4  # of blocks in a comparison, and how many of them the greater number must win
RISE, STAY = 1.08, 1.03  # how many times faster the greater number must be: to be taken, and to be kept
USUAL = 10  # blocks that tell how much time blocks take
CHANGED = 1.25  # a block is unusual that is slower, or faster, than any of those by this factor
IN_A_ROW, AT_MOST = 3, 24  # unusual blocks until numbers are compared again; doubles where that was in vain
FIRST, LAST = 400, 3_200  # blocks until they are compared again in any case, which doubles up to the last


@dataclass
class Work:
    """Work of some rounds, and the time that it took.

    Attributes:
        learning: seconds of training steps.
        updates: their number.
        playing: seconds of playing.
        steps: environment steps played.
    """

    learning: float = 0.0
    updates: int = 0
    playing: float = 0.0
    steps: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.learning + other.learning,
            self.updates + other.updates,
            self.playing + other.playing,
            self.steps + other.steps,
        )

    @property
    def is_block(self) -> bool:
        """Whether it is enough for a comparison."""
        return self.learning + self.playing >= BLOCK and self.updates > 0 and self.steps > 0

    def seconds_for(self, work: Work) -> float:
        """Return how long other work takes at this work's pace."""
        return self.learning / self.updates * work.updates + self.playing / self.steps * work.steps


Blocks = Generator[int, Work, None]  # yields the number of threads of each block, and gets its work


class ThreadChoice:
    """The number of threads that a run takes, among 1, 2, 4, … up to a largest one. It reads no clock.

    Args:
        most: the largest number that may be taken.
        say: is told, in a line, which number is taken at first, and each change of it.

    Attributes:
        taken: the number that is the best as far as is known.
        count: of the next round: another one while numbers are compared.
    """

    def __init__(self, most: int, say: Callable[[str], None]) -> None:
        self._most, self._say, self.taken = most, say, 1
        self._gains: dict[int, float] = {}
        self._blocks = self._run()
        self.count = next(self._blocks)
        self._work = Work()

    def add(self, work: Work) -> None:
        """Take note of a round, which was worked on by :attr:`count` threads."""
        self._work += work
        if self._work.is_block:
            block, self._work = self._work, Work()
            self.count = self._blocks.send(block)

    def _run(self) -> Blocks:
        yield 1  # the first training steps allocate memory
        patience, in_a_row, said = FIRST, IN_A_ROW, 0
        while True:
            yield from self._settle()
            if self.taken != said:
                said, in_a_row = self.taken, IN_A_ROW
                self._tell()
            if (yield from self._is_unusual(patience, in_a_row)):
                in_a_row = min(2 * in_a_row, AT_MOST)
            patience = min(2 * patience, LAST)

    def _settle(self) -> Blocks:
        """Halve the number while it is not clearly faster than its half; else double it while that is faster."""
        if self.taken > 1 and not (yield from self._is_faster(self.taken, STAY)):
            self.taken //= 2
            while self.taken > 1 and not (yield from self._is_faster(self.taken, STAY)):
                self.taken //= 2
            return
        while 2 * self.taken <= self._most and (yield from self._is_faster(2 * self.taken, RISE)):
            self.taken *= 2

    def _is_faster(self, count: int, times: float) -> Generator[int, Work, bool]:
        """Compare a number with half of it: whether it is, in most pairs, more than ``times`` as fast."""
        wins, gains = 0, []
        for pair in range(PAIRS):
            blocks = {}
            for each in (count // 2, count) if pair % 2 == 0 else (count, count // 2):
                blocks[each] = yield each
            few, many = blocks[count // 2], blocks[count]
            gains.append(few.seconds_for(few + many) / many.seconds_for(few + many))
            wins += gains[-1] > times
            if wins == WINS or pair + 1 - wins > PAIRS - WINS:
                break
        self._gains[count] = median(gains)
        return wins == WINS

    def _is_unusual(self, patience: int, in_a_row: int) -> Generator[int, Work, bool]:
        """Work on for a time; tell whether blocks in a row were slower, or faster, than any of the first ones."""
        work = yield self.taken
        usual: list[float] = []
        slow = fast = 0
        for _ in range(patience):
            pace = (yield self.taken).seconds_for(work)
            if len(usual) < USUAL:
                usual.append(pace)
                continue
            slow = slow + 1 if pace > CHANGED * max(usual) else 0
            fast = fast + 1 if pace * CHANGED < min(usual) else 0
            if in_a_row in (slow, fast):
                return True
        return False

    def _tell(self) -> None:
        cores = f"({self._most} cores can be used)"
        if self.taken > 1:
            gain, half = self._gains[self.taken], self.taken // 2
            self._say(f"threads: {self.taken}, {gain:.2f} times as fast as {half} {cores}")
        else:
            self._say(f"threads: 1, because 2 are {self._gains[2]:.2f} times as fast {cores}")

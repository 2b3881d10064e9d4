"""The number of threads is chosen by what blocks of rounds take; no clock is read here."""

import random

import pytest

from pyqmix.run.thread_choice import BLOCK, ThreadChoice, Work

ROUNDS = 10  # in a block by one thread


class Machine:
    """A run whose rounds take the seconds that a function says, by the number of threads and what was done before.

    Its unit of work is a block by one thread.
    """

    def __init__(self, seconds, most=2):
        self.seconds, self.lines, self.counts, self.took = seconds, [], [], 0.0
        self.choice = ThreadChoice(most, self.lines.append)

    def work(self, units):
        for _ in range(units * ROUNDS):
            count, done = self.choice.count, len(self.counts) / ROUNDS
            took = 1.01 * BLOCK / ROUNDS * self.seconds(count, done)
            self.counts.append(count)
            self.took += took
            self.choice.add(Work(learning=0.9 * took, updates=2, playing=0.1 * took, steps=50))
        return self

    def share(self, count):
        """The share of the rounds that a number of threads had."""
        return self.counts.count(count) / len(self.counts)

    @property
    def slower(self):
        """How many times the seconds of one thread it has taken."""
        alone = sum(self.seconds(1, done / ROUNDS) for done in range(len(self.counts)))
        return self.took / (1.01 * BLOCK / ROUNDS * alone)


def fixed(**seconds):
    return lambda count, done: seconds[f"by_{count}"]


def test_threads_that_are_of_use_are_taken_and_told_of():
    machine = Machine(fixed(by_1=1.0, by_2=0.7)).work(2_000)
    assert machine.choice.taken == 2
    assert machine.lines == ["threads: 2, 1.43 times as fast as 1 (2 cores can be used)"]
    assert machine.share(1) < 0.01
    assert machine.slower < 0.703


def test_threads_that_are_of_no_use_are_left_to_others():
    machine = Machine(fixed(by_1=1.0, by_2=3.0)).work(2_000)
    assert machine.choice.taken == 1
    assert machine.lines == ["threads: 1, because 2 are 0.33 times as fast (2 cores can be used)"]
    assert 0.0 < machine.share(2) < 0.01
    assert machine.slower < 1.005


def test_numbers_are_compared_in_turns():
    """A block is of a tenth of a second, so that two threads, which are faster, do more rounds in it."""
    counts = Machine(fixed(by_1=1.0, by_2=0.5)).work(10).counts
    assert counts[:70] == [1] * 20 + [2] * 40 + [1] * 10


def test_a_little_is_not_enough():
    assert Machine(fixed(by_1=1.0, by_2=0.94)).work(500).choice.taken == 1


def test_the_number_is_doubled_while_that_helps():
    speeds = fixed(by_1=1.0, by_2=0.6, by_4=0.4, by_8=0.39, by_16=0.1)
    machine = Machine(speeds, most=16).work(1_000)
    assert machine.choice.taken == 4
    assert machine.lines == ["threads: 4, 1.50 times as fast as 2 (16 cores can be used)"]
    assert set(machine.counts) == {1, 2, 4, 8}
    assert Machine(speeds, most=7).work(100).choice.taken == 4
    assert Machine(speeds, most=3).work(100).choice.taken == 2


def test_a_machine_that_becomes_busy():
    """Two threads are suddenly three times as slow, and one is as before."""
    machine = Machine(lambda count, done: 1.0 if count == 1 else 0.7 if done < 200 else 3.0).work(200)
    assert machine.choice.taken == 2
    machine.work(10)
    assert machine.choice.taken == 1
    assert len(machine.lines) == 2
    assert machine.work(500).slower < 1.0


def test_a_machine_that_becomes_free():
    machine = Machine(lambda count, done: ((2.0, 3.0) if done < 100 else (1.0, 0.7))[count - 1]).work(100)
    assert machine.choice.taken == 1
    assert machine.work(30).choice.taken == 2


def test_a_machine_that_becomes_free_unnoticed():
    """One thread is as fast as before, and two are of use now."""
    machine = Machine(lambda count, done: 1.0 if count == 1 else 2.0 if done < 100 else 0.7).work(100)
    assert machine.choice.taken == 1
    assert machine.work(500).choice.taken == 2


def test_alarms_in_vain_become_rare():
    """Other work comes and goes, every five seconds, and concerns one thread as it does two."""
    machine = Machine(lambda count, done: (1.0, 1.4)[count - 1] * (1.0 if done % 100 < 50 else 2.0)).work(2_000)
    assert machine.choice.taken == 1
    assert machine.slower < 1.01


@pytest.mark.parametrize(("by_2", "most"), [(0.7, 0.75), (1.0, 1.005), (1.1, 1.01), (1.5, 1.01), (3.0, 1.01)])
def test_noise_seldom_decides(by_2, most):
    """Rounds are interrupted: some moments take half as long again."""
    slower = []
    for seed in range(5):
        draws = random.Random(seed)
        noise = [1 + 0.1 * draws.random() + 0.5 * (draws.random() < 0.25) for _ in range(1_001)]
        seconds = lambda count, done, noise=noise: (1.0, by_2)[count - 1] * noise[int(done)]  # noqa: E731
        slower.append(Machine(seconds).work(1_000).slower)
    assert sum(slower) / len(slower) < most
    assert max(slower) < 1.03


def test_work_that_changes_is_no_difference():
    """Episodes become longer all the time: each block takes a thousandth longer, and has as many more steps."""
    lines = []
    choice = ThreadChoice(2, lines.append)
    for block in range(3_000):
        more = 1.001**block
        took = 1.3 * BLOCK * (1.0 if choice.count == 1 else 0.8)
        choice.add(Work(learning=took * more, updates=20, playing=0.2 * took * more, steps=round(500 * more)))
    assert choice.taken == 2
    assert len(lines) == 1


def test_rounds_without_training_steps_are_not_measured():
    choice = ThreadChoice(2, print)
    for _ in range(1_000):
        choice.add(Work(playing=BLOCK, steps=50))
    assert choice.count == 1


def test_playing_counts_too():
    """Two threads play natively three times as fast, and learn no faster."""
    lines = []
    choice = ThreadChoice(2, lines.append)
    for _ in range(30):
        playing = BLOCK if choice.count == 1 else BLOCK / 3
        choice.add(Work(learning=BLOCK / 2, updates=1, playing=playing, steps=400))
    assert lines == ["threads: 2, 1.80 times as fast as 1 (2 cores can be used)"]

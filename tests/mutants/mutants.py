"""The planted faults: a change of one line of the source, and the tests that must fail for it.

`trap` names the row of the trap table in docs/algorithm.md that a mutant belongs to; every row has one.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """One planted fault.

    Attributes:
        name: what is wrong.
        file: the source file, from the repository's root.
        old: the text that is replaced; it stands in the file exactly once.
        new: what takes its place.
        tests: arguments of pytest; at least one test must fail.
        trap: the row of the trap table, or "" for a fault of another kind.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str
    trap: str = ""


STEP = "csrc/learn/qmix_gradients.cpp"
LEARNER, ROLLOUT, ROWS = "pyqmix/learn/learner.py", "pyqmix/play/rollout.py", "pyqmix/learn/rows.py"
TARGETS = "pyqmix/learn/targets.py"
REFERENCE, MIXERS, RUN = "pyqmix/ops/reference.py", "pyqmix/nn/mixers.py", "pyqmix/run/run.py"
MIX_MATH, TARGET_MATH = "csrc/ops/mix/mix_math.h", "csrc/ops/td_target/td_target_math.h"
LBF, SEEN = "csrc/envs/lbf/world.cpp", "csrc/envs/lbf/observation.cpp"
WORLD, BATCH, NATIVE = "csrc/envs/world.h", "csrc/envs/batch.h", "csrc/play/world_worker.h"
SLOTS, RING = "csrc/replay/slot_machine.h", "csrc/replay/episode_ring.cpp"
OVERLAP, PRIORITISED, DRAW = (
    "pyqmix/play/ahead.py",
    "pyqmix/replay/prioritised.py",
    "csrc/replay/prioritised_draw.cpp",
)
PACKED, CLUSTER = "csrc/replay/packed_episodes.cpp", "pyqmix/play/cluster/training.py"
REGISTRY, WORKERS = "csrc/replay/registry.cpp", "pyqmix/play/workers.py"
ACTOR = "pyqmix/play/actor.py"
T, METHODS, RECORDING = "tests/", "pyqmix/methods/", "pyqmix/run/recording/"
EXPORT = "pyqmix/export/"
SMAX_GAME, FIGHT, SMAX_SIGHT = (
    "csrc/envs/smax/game.cpp",
    "csrc/envs/smax/fight_cpu.cpp",
    "csrc/envs/smax/sight_cpu.cpp",
)
HEURISTIC, PLACEMENT = "csrc/envs/smax/heuristic_cpu.cpp", "csrc/envs/smax/placement.cpp"
SMAX_OVERLAP = "csrc/envs/smax/overlap_cpu.cpp"
RECORDED = f"{T}envs/test_smax_recorded.py"
LBF_DIFFERENCES = f"{T}envs/lbf/test_foraging.py -k random_configurations"

MUTANTS = (
    Mutant(
        "one coin for the whole team", ROLLOUT, "epsilon, draws[:, 0], draws", "epsilon, draws[:, 0, :1], draws",
        f"{T}play/test_rollout.py -k own_coin", "coin",
    ),
    Mutant(
        "a time limit is stored as termination", ROLLOUT, "step.reward, step.terminated, *p",
        "step.reward, ended, *p", f"{T}play/test_rollout.py -k what_was_played", "time-limit",
    ),
    Mutant(
        "the option to truncate does nothing", WORLD, "options_.truncate_at_limit && !game_",
        "false && !game_", f"{T}envs/lbf/test_lbf.py -k step_limit", "time-limit",
    ),
    Mutant(
        "a truncated step does not bootstrap", TARGETS, "rows.terminated,\n", "rows.terminated | True,\n",
        f"{T}learn/test_learner.py -k truncation", "time-limit",
    ),
    Mutant(
        "the maximum takes in unavailable actions", TARGET_MATH, "if (!avail[a]) continue;", "",
        f"{T}ops/test_td_target.py -k 'unavailable or enumeration'", "unavailable",
    ),
    Mutant(
        "the reference's maximum takes in unavailable actions", REFERENCE, "torch.where(avail, finite, lowest)",
        "finite", f"{T}ops/test_td_target.py -k unavailable", "unavailable",
    ),
    Mutant(
        "the policy takes unavailable actions", ROLLOUT, "np.where(avail, finite, -np.inf)", "finite",
        f"{T}play/test_rollout.py -k best_available", "unavailable",
    ),
    Mutant(
        "no available action passes in silence", TARGET_MATH, "if (action == kNoAction) return i;",
        "if (action == kNoAction) { chosen[i] = T(0); continue; }", f"{T}ops/test_td_target.py -k no_available", "unavailable",
    ),
    Mutant(
        "double-Q chooses among unavailable actions", TARGET_MATH,
        "greedy_action_in_lanes(choosing + first, args.avail[row] + first, n_actions);",
        "args.online_next_qs.data ? std::int64_t(choosing[first + 1] > choosing[first])"
        " : greedy_action_in_lanes(choosing + first, args.avail[row] + first, n_actions);",
        f"{T}ops/test_td_target.py -k double_q_chooses", "double-q",
    ),
    Mutant(
        "double-Q is not used", TARGETS, "None if online_qs is None else online_qs[first:]", "None",
        f"{T}learn/test_learner.py -k double_q", "double-q",
    ),
    Mutant(
        "termination multiplies", REFERENCE, "return torch.where(terminated, rewards, bootstrapped)",
        "return rewards + (bootstrapped - rewards) * ~terminated",
        f"{T}ops/test_td_target.py -k reads_nothing", "nan-in-padding",
    ),
    Mutant(
        "the mask multiplies", LEARNER, "torch.where(batch.mask, batch.rewards, 0.0)", "(batch.rewards * batch.mask)",
        f"{T}learn/test_learner.py -k padded", "nan-in-padding",
    ),
    Mutant(
        "padding is read", ROWS, "(time[:-1] < lengths).nonzero()", "(time[:-1] <= lengths).nonzero()",
        f"{T}learn/test_learner.py -k 'padding or packing'", "nan-in-padding",
    ),
    Mutant(
        "the loss divides by the padded length", LEARNER, "1.0 / (batch.lengths * ",
        "1.0 / (torch.full_like(batch.lengths, batch.actions.shape[1]) * ",
        f"{T}learn/test_learner.py -k own_length", "length",
    ),
    Mutant(
        "the target mixes at s in place of s'", TARGETS, "rows.states[first:],", "rows.states[rows.now],",
        f"{T}learn/test_learner.py -k loss_and_gradients", "next-state",
    ),
    Mutant(
        "the maximum is over o in place of o'", TARGETS, "rows.point_counts)[first:]",
        "rows.point_counts)[rows.now]", f"{T}learn/test_learner.py -k 'loss_and_gradients or stored_one'", "next-state",
    ),
    Mutant(
        "an unfinished episode is sampled", SLOTS, "state(word) == SlotState::ready && !(word & kRetire)",
        "state(word) != SlotState::empty && !(word & kRetire)", f"{T}replay/test_replay.py -k unfinished", "unfinished",
    ),
    Mutant(
        "hidden state is carried into the next episode", ACTOR, "self._hidden[row] = 0", "pass",
        f"{T}play/test_rollout.py -k hidden", "hidden-state",
    ),
    Mutant(
        "evaluation explores", "pyqmix/play/evaluator.py", "epsilon=0.0", "epsilon=0.3", f"{T}run/test_evaluate.py", "evaluation",
    ),
    Mutant(
        "evaluation plays training's episodes", "pyqmix/play/evaluator.py", "Stream.EVALUATION", "Stream.ENVIRONMENT",
        f"{T}run/test_evaluate.py", "evaluation",
    ),
    Mutant(
        "evaluation counts as training steps", RUN, "self.progress.evaluated_episodes += ",
        "self.progress.steps += 1; self.progress.evaluated_episodes += ",
        f"{T}run/test_trainer.py -k 'does_not_change_training or resume_goes_on'", "evaluation",
    ),
    Mutant(
        "seeds depend on the seat", ROLLOUT, "episode_seed(self._seed, self._stream, seat.episode, wide)",
        "episode_seed(self._seed, self._stream, seat.episode + seat.row, wide)", f"{T}play/test_rollout.py -k number_of_env", "seeds",
    ),
    Mutant(
        "exploration depends on the seat", ROLLOUT, "Stream.EXPLORATION, episode)", "Stream.EXPLORATION, seat.row)",
        f"{T}play/test_rollout.py -k number_of_env", "seeds",
    ),
    Mutant(
        "the targets are optimised", LEARNER, "        self.parameters = self.flat.parameters\n",
        "        self.parameters = self.flat.parameters\n        self.target_flat.block = self.flat.block\n"
        "        self.target_flat._bind()\n", f"{T}learn/test_learner.py -k optimised", "optimizer",
    ),
    Mutant(
        "one agent's weights lose their absolute value", MIX_MATH, "hidden[j] += agent_qs[i] * magnitude(w1[j]);",
        "hidden[j] += agent_qs[i] * w1[j];", f"{T}ops/test_mix.py -k 'float64 or monotone'",
    ),
    Mutant(
        "the final weights lose their absolute value", MIX_MATH, "elu(hidden).value * magnitude(w_final)",
        "elu(hidden).value * w_final", f"{T}ops/test_mix.py -k float64",
    ),
    Mutant(
        "the slope of the ELU is a power of two", "csrc/ops/mix/elu.h", "x > 0.0f ? 1.0f : slope}", "x > 0.0f ? 1.0f : power}",
        f"{T}ops/test_mix.py -k 'elu or eager'",
    ),
    Mutant(
        "the sign of a weight at zero is 1", MIX_MATH, "return x > T(0) ? T(1) : (x <", "return x >= T(0) ? T(1) : (x <",
        f"{T}ops/test_mix.py -k kinks",
    ),
    Mutant("gamma is left out", TARGET_MATH, "reward + args.gamma * mix_row", "reward + mix_row", f"{T}ops/test_td_target.py"),
    Mutant(
        "an action out of range is stored", RING, "taken >= s.n_actions", "taken > 300",
        f"{T}replay/test_replay.py -k cannot_hold",
    ),
    Mutant(
        "what a slot cannot hold is rounded", "csrc/episode/episode_codec_cpu.cpp",
        "lossy |= static_cast<std::int32_t>(static_cast<float>(whole) != from[i]);", "", f"{T}replay/test_replay.py -k cannot_hold",
    ),
    Mutant(
        "sampling favours the first slots", "csrc/replay/uniform_draw.h", "drawn + uniform_below(random_, count - drawn)",
        "drawn + uniform_below(random_, count - drawn) * 9 / 10", f"{T}replay/test_replay.py -k uniform",
    ),
    Mutant(
        "ring: an aborted episode is published", SLOTS, "SlotState::empty, Orders::abort", "SlotState::ready, Orders::abort",
        f"{T}replay/test_ring_model.py -k Deque",
    ),
    Mutant(
        "ring: a fork keeps its parent's ids", REGISTRY, "    generation_.fetch_add(1, std::memory_order_relaxed);\n", "",
        f"{T}replay/test_ring_shared.py -k forked_child",
    ),
    Mutant(
        "ring: an id is given out unswept", REGISTRY, "        sweep(role, id);  // the last holder may have died, or have stayed behind in a fork\n", "",
        f"{T}replay/test_ring_shared.py -k used_again",
    ),
    Mutant(
        "ring: the dead keep their slots", REGISTRY, "    sweep(role, id);\n    give_back(byte);", "    give_back(byte);",
        f"{T}replay/test_ring_shared.py -k 'killed and fork'",
    ),
    Mutant(
        "ring: its memory stays mapped", "csrc/replay/ring_memory.cpp", "if (data_) munmap(", "if (false) munmap(",
        f"{T}replay/test_ring_shared.py -k leaves_nothing",
    ),
    Mutant(
        "ring: anybody may open its memory", "csrc/replay/ring_memory.cpp", "0600", "0666",
        f"{T}replay/test_ring_shared.py -k sealed",
    ),
    Mutant(
        "ring: a saved body's checksum is not compared", "csrc/replay/ring_file.cpp",
        "if (checksum_.value() != info_.body_checksum)", "if (false)", f"{T}replay/test_ring_file.py -k flipped",
    ),
    Mutant(
        "ring: restored episodes are the first of their slots", "csrc/replay/ring_file.cpp",
        "control.restore(slot, saved.generation, true)", "control.restore(slot, 1, true)",
        f"{T}replay/test_restore.py -k as_if",
    ),
    Mutant(
        "ring: a restored ring gives its tickets again", "csrc/replay/ring_file.cpp",
        "restore_tickets(files.back().end)", "restore_tickets(files.back().whole_from())",
        f"{T}replay/test_restore.py -k as_if",
    ),
    Mutant(
        "ring: a file has what followed its end", "csrc/replay/ring_file.cpp",
        "if (ticket + static_cast<std::uint64_t>(control.capacity()) >= control.tickets())", "if (true)",
        f"{T}replay/test_restore.py -k followed",
    ),
    Mutant(
        "ring: a sampler lets a second thread in", "pyqmix/replay/in_use.py",
        "if not self._lock.acquire(blocking=False)", "if False", f"{T}replay/test_refused.py -k second_thread",
    ),
    Mutant(
        "ring: a step's reward may be infinite", RING,
        'if (!std::isfinite(reward)) refuse_not_finite("rewards", reward);', "",
        f"{T}replay/test_refused.py -k finite",
    ),
    Mutant(
        "ring: nothing looks at numbers in the views", RING, "    require_finite(slot, steps);\n", "",
        f"{T}replay/test_refused.py -k views",
    ),
    Mutant(
        "ring: a forked child uses a private ring as its parent", REGISTRY,
        "for (Registry* registry : instance().all) registry->forget();",
        "for (Registry* registry : instance().all)\n            if (registry->fd_ >= 0) registry->forget();",
        f"{T}replay/test_ring_shared.py -k forked_child",
    ),
    Mutant(
        "prioritised: a state forgets the largest priority", DRAW, "    largest_ = state.largest;\n", "",
        f"{T}replay/test_restore.py -k as_if",
    ),
    Mutant(
        "prioritised: a state forgets the errors on their way", PRIORITISED, "self._learned = learned",
        "self._learned.clear()", f"{T}replay/test_restore.py -k 'as_if or not_counted'",
    ),
    Mutant(
        "snapshots: last actions are not rebuilt", "csrc/replay/episode_decode.cpp",
        "    if (layout_.last_action) write_last_actions(s, actions, points, obs);\n", "",
        f"{T}replay/test_snapshots.py -k every_option",
    ),
    Mutant(
        "snapshots: a copied episode has none", RING,
        "field(&Layout::snapshot, points * at.snapshot_sizes.bytes)", "field(&Layout::snapshot, 0)",
        f"{T}replay/test_snapshots.py -k survive_files",
    ),
    Mutant(
        "snapshots: they are taken where they are larger", "csrc/episode/episode_layout.h",
        "< without ? kind : Snapshot::none;", "> without ? kind : Snapshot::none;",
        f"{T}replay/test_snapshots.py -k is_that_of_stored",
    ),
    # SMAX: every rule, against steps that were recorded from jaxmarl.
    Mutant("smax: every unit walks as fast as the first", FIGHT, "dx * units.of(i).velocity", "dx * units.of(0).velocity", RECORDED),
    Mutant("smax: units walk out of the map", FIGHT, "to = to < size ? to : size;", "to = to + size * 0.0f;", RECORDED),
    Mutant("smax: one of the four walls is harmless", FIGHT, " & below(y, size);", ";", RECORDED),
    Mutant("smax: weapons reach as far as eyes", FIGHT, "dy * dy < kSquaredRanges[units.type[k]].attack", "dy * dy < kSquaredRanges[units.type[k]].sight", RECORDED),
    Mutant("smax: weapons need not be ready", FIGHT, "~shots.units & ~loading", "~shots.units & (loading | ~loading)", RECORDED),
    Mutant("smax: a cooldown is drawn from half of its interval", FIGHT, "-kTickSeconds, 2 * kTickSeconds", "-kTickSeconds, kTickSeconds", RECORDED),
    Mutant("smax: a cooldown is not added as jaxmarl adds it", FIGHT, "before + (next - before)", "next", RECORDED),
    Mutant("smax: a unit is hit with its own weapon", FIGHT, "health - units.of(i).attack", "health - units.of(orders.target[static_cast<std::size_t>(i)]).attack", RECORDED),
    Mutant("smax: who is killed in a tick does not strike in it", FIGHT, "float& health =", "if (units.health[static_cast<std::size_t>(i)] <= 0.0f) return;\n        float& health =", RECORDED),
    Mutant("smax: the corpse is struck", FIGHT, "if (!near || !(units.alive >> target & 1))", "if (!near)", RECORDED),
    Mutant("smax: corpses walk on", FIGHT, "orders.dx[static_cast<std::size_t>(i)] = orders.dy[static_cast<std::size_t>(i)] = 0.0f;", ";", RECORDED),
    Mutant("smax: each of two that overlap goes the whole way", SMAX_OVERLAP, "units.x[k] += (two ? x_[0][k] + x_[1][k] : x_[0][k]) * 0.5f", "units.x[k] += (two ? x_[0][k] + x_[1][k] : x_[0][k])", RECORDED),
    Mutant("smax: corpses push", SMAX_OVERLAP, "if ((units.alive & pair) != pair) return;", "", RECORDED),
    Mutant("smax: pushes of many units are added in one sum", SMAX_OVERLAP, "half_(count > 32 ? (count + 1) / 2 : Units::kMost)", "half_(Units::kMost)", RECORDED),
    Mutant("smax: ticks without attacks have no key", FIGHT, "for (; made_ < tick; ++made_) chain_", "for (int once = made_ = tick; once == tick; ++once) chain_", RECORDED),
    Mutant("smax: a weapon loads in the tick of its attack, too", FIGHT, "kTicksPerStep - 1 - shots.tick", "kTicksPerStep - shots.tick", RECORDED),
    Mutant("smax: corpses can be aimed at", FIGHT, "kSquaredRanges[type].attack) & units.alive", "kSquaredRanges[type].attack)", RECORDED),
    Mutant("smax: the dead may act", SMAX_GAME, "if (!(units_.alive >> i & 1)) continue;", "", RECORDED),
    Mutant("smax: nobody is pushed before the first step", SMAX_GAME, "    PYQMIX_AT_SIMD_LEVEL(push_apart, units_);\n", "", RECORDED),
    Mutant("smax: damage is shared by the allies' number", SMAX_GAME, "static_cast<float>(units_.enemies())", "static_cast<float>(units_.allies)", RECORDED),
    Mutant("smax: a win gives nothing", SMAX_GAME, "won() ? 1.0f : 0.0f", "0.0f", RECORDED),
    Mutant("smax: the chain of keys stands still", SMAX_GAME, "key_ = threefry::split(key_, 0);", "key_ = threefry::split(key_, 1);", RECORDED),
    Mutant("smax: the ticks use the step's own key", SMAX_GAME, "fight, units_, threefry::split(key, 0)", "fight, units_, key", RECORDED),
    Mutant("smax: a draw is a win", "csrc/envs/smax/game.h", "return enemies_lost() && !allies_lost();", "return enemies_lost();", RECORDED),
    Mutant("smax: an episode has 102 steps", "csrc/envs/smax/game.h", "steps_ >= most_steps_", "steps_ > most_steps_", RECORDED),
    Mutant("smax: sight ends where weapons do", SMAX_SIGHT, "kSquaredRanges[units.type[k]].sight", "kSquaredRanges[units.type[k]].attack", RECORDED),
    Mutant("smax: the dead are seen by others", SMAX_SIGHT, ".sight) & units.alive", ".sight)", RECORDED),
    Mutant("smax: movements are seen mirrored", SMAX_SIGHT, "row[3] = dx;\n    row[4] = dy;", "row[3] = dy;\n    row[4] = dx;", RECORDED),
    Mutant("smax: positions are divided by the sight", SMAX_SIGHT, "store(&x[lane], (load(&units.x[lane]) - units.x[k]) * per_sight)", "store(&x[lane], (load(&units.x[lane]) - units.x[k]) / units.of(i).sight_range)", RECORDED),
    Mutant("smax: the last attack is divided, whatever the teams", "csrc/envs/smax/sight.h", "units.allies == units.enemies() ? attack", "units.allies < 0 ? attack", RECORDED),
    Mutant("smax: a weapon that is ready has a negative feature", "csrc/envs/smax/sight.h", "std::min(std::max(share, 0.0f), 1.0f)", "std::min(share, 1.0f)", RECORDED),
    Mutant("smax: the state has no teams", "csrc/envs/smax/view.cpp", "units.is_ally(i) ? 0.0f : 1.0f", "0.0f", RECORDED),
    Mutant("smax: the enemy forgets its target", HEURISTIC, "if (!keeps) memory.target", "memory.target", RECORDED),
    Mutant("smax: the enemy shoots at the last one in range", HEURISTIC, "if (distance < least)", "if (least > 0.0f)", RECORDED),
    Mutant("smax: the enemy chooses from the other end", HEURISTIC, "(1.0f - threefry::uniform(key))", "threefry::uniform(key)", RECORDED),
    Mutant("smax: the enemy chooses with the key that it splits", HEURISTIC, "threefry::split(own, 0)", "own", RECORDED),
    Mutant("smax: the enemy walks to its own start", HEURISTIC, "memory.x = -(units.x[k] - kCentre) + kCentre;", "memory.x = units.x[k];", RECORDED),
    Mutant("smax: left is right for the enemy", HEURISTIC, "{y, x, -y, -x}", "{y, -x, -y, x}", RECORDED),
    Mutant("smax: the enemy takes what it sees for closer than it is", HEURISTIC, "(units.x[t] - units.x[k]) * per_sight * type.sight_range", "(units.x[t] - units.x[k]) * per_sight * type.attack_range", RECORDED),
    Mutant("smax: enemies count allies forwards", "csrc/envs/smax/units.h", "allies - 1 - k", "k", RECORDED),
    Mutant("smax: groups stand in other corners", PLACEMENT, "{group / 2 * kMapSize, group % 2 * kMapSize}", "{group % 2 * kMapSize, group / 2 * kMapSize}", RECORDED),
    Mutant("smax: the mirror is at the map's other axis", PLACEMENT, "{kMapSize - place.x, place.y}", "{place.x, kMapSize - place.y}", RECORDED),
    Mutant("smax: mirrored units have types of their own", PLACEMENT, "units.type[k] = units.type[mirror] =", "units.type[k] =", RECORDED),
    Mutant("smax: the team in the centre is drawn from another key", PLACEMENT, "threefry::bits(split(side, 1))", "threefry::bits(split(side, 0))", RECORDED),
    Mutant("smax: the two ways of placing are swapped", PLACEMENT, "if (!(uniform(draw) < 0.5f))", "if (uniform(draw) < 0.5f)", RECORDED),
    Mutant("smax: a type is drawn by the smallest Gumbel variable", PLACEMENT, "value > highest", "value < highest", RECORDED),
    Mutant("smax: rows start with the enemies' noise", PLACEMENT, "split(key, 1), split(key, 2)", "split(key, 2), split(key, 1)", RECORDED),
    Mutant("smax: the last round of threefry is left out", "csrc/envs/smax/threefry.h", "group < 5", "group < 4", RECORDED),
    Mutant(
        "snapshots: the dead are seen", "csrc/envs/smax/snapshot.cpp",
        "if (health[k] > 0) units.alive", "units.alive", f"{T}replay/test_snapshots.py -k is_that_of_stored",
    ),
    Mutant(
        "snapshots: a unit may have taken any action", "csrc/envs/smax/snapshot.cpp",
        "units.action[k] >= units.actions_of(static_cast<int>(k)) ||", "",
        f"{T}replay/test_snapshots.py -k unknown_unit",
    ),
    Mutant(
        "snapshots: a unit may have any health", "csrc/envs/smax/snapshot.cpp",
        "health[k] > kUnits[units.type[k]].health || !fits(units.x[k])", "!fits(units.x[k])",
        f"{T}replay/test_snapshots.py -k unknown_unit",
    ),
    Mutant(
        "ring: what an episode leaves behind is saved", RING, "std::memset(to, 0, static_cast<std::size_t>(as.bytes));",
        "std::memcpy(to, at(slot, 0), static_cast<std::size_t>(std::min(as.bytes, layout_.bytes)));", f"{T}replay/test_ring_file.py -k same_bytes",
    ),
    Mutant(
        "workers: every episode has the first one's ticket", WORKERS, "None if ticket is None else ticket + k", "ticket",
        f"{T}play/test_workers.py -k 'number_of_workers and mlp'", "seeds",
    ),
    Mutant(
        "workers: new weights are not sent", WORKERS, "            worker.has_weights = False\n", "            pass\n",
        f"{T}play/test_workers.py -k new_weights",
    ),
    Mutant(
        "workers: a dead one's episode is forgotten", WORKERS, "waiting.extendleft(reversed(dead.open.values()))",
        "pass", f"{T}play/test_workers.py -k 'killed_or_hanging and kill'",
    ),
    Mutant(
        "VMAS: the last bits depend on the number of worlds", "pyqmix/envs/vmas.py", "_FULL_VECTORS = 32", "_FULL_VECTORS = 1",
        f"{T}envs/test_vmas.py -k 'number_of_worlds and balance'", "seeds",
    ),
    Mutant(
        "VMAS: episodes follow earlier ones", "pyqmix/envs/vmas.py", "self._env.seed(seed % 2**32)", "seed % 2**32",
        f"{T}envs/test_vmas.py -k number_of_worlds", "seeds",
    ),
    Mutant(
        "workers: a series of episodes does not end for all", WORKERS, "or (worker.in_series and not waiting)", "or False",
        f"{T}play/test_workers.py -k evaluation_is_played",
    ),
    Mutant(
        "workers: evaluations go into the ring", WORKERS, "into_ring=False", "into_ring=True",
        f"{T}play/test_workers.py -k evaluation_is_played", "evaluation",
    ),
    Mutant(
        "workers: a signal to the process group ends them", "pyqmix/play/worker_process.py", "_path(), _server_survives_signals()", "_path()",
        f"{T}play/test_workers.py -k survive_what --timeout 60",
    ),
    Mutant(
        "signals: SIGHUP ends a run without a checkpoint", "pyqmix/base/signals.py", "signal.SIGTERM, signal.SIGHUP,", "signal.SIGTERM,",
        f"{T}run/test_interrupt.py -k first_signal",
    ),
    Mutant(
        "signals: a second one is raised in the middle of a save", "pyqmix/run/interrupt.py", "            if self._raises:", "            if True:",
        f"{T}run/test_interrupt.py -k only_where",
    ),
    Mutant(
        "sys.exit in a step ends the run", ROLLOUT, "except (Exception, SystemExit) as error", "except Exception as error",
        f"{T}envs/test_system_exit.py -k 'of_a_run and step'",
    ),
    Mutant(
        "a hanging environment is told of again and again", "pyqmix/play/alarm.py", "if since != told:", "if True:",
        f"{T}run/test_interrupt.py -k late_call",
    ),
    Mutant(
        "output: a reader that goes away ends the run", "pyqmix/base/console.py", "cast(TextIO, Steady(sys.stdout))", "sys.stdout",
        f"{T}run/test_display.py -k goes_away",
    ),
    Mutant(
        "display: numbers that do not fit are shown", "pyqmix/run/columns.py", "if used > width:", "if False:",
        f"{T}run/test_live.py -k every_width",
    ),
    Mutant(
        "display: live rows remain after the end", "pyqmix/run/live.py", "transient=True", "transient=False",
        f"{T}run/test_live.py -k nothing_behind",
    ),
    Mutant(
        "display: rows that were wrapped by a resize remain", "pyqmix/run/live.py", "(ControlType.ERASE_IN_LINE, 2)) * more)",
        "(ControlType.ERASE_IN_LINE, 2)) * 0)", f"{T}run/test_live.py -k narrower",
    ),
    Mutant(
        "display: live rows on a dumb terminal", "pyqmix/run/display.py", " and not self._console.is_dumb_terminal", "",
        f"{T}run/test_display.py -k dumb",
    ),
    Mutant(
        "display: a resumed run's time left counts its earlier steps", "pyqmix/run/status.py", "/ (steps - first) *", "/ steps *",
        f"{T}run/test_live.py -k time_left",
    ),
    Mutant(
        "output: text that was buffered for a gone reader fails at the exit", "pyqmix/base/output.py",
        "            _lead_nowhere(self._stream.fileno())", "            pass",
        f"{T}run/test_display.py -k goes_away",
    ),
    Mutant(
        "recording: an episode's last frame is not held", f"{RECORDING}frames.py", "HELD if moment.ended else", "",
        f"{T}run/test_recording.py -k held",
    ),
    Mutant(
        "recording: the values are those of other actions", f"{RECORDING}episodes.py", "values[agents, actions]",
        "values.max(-1)", f"{T}run/test_recording.py -k values_are",
    ),
    Mutant(
        "recording: a reward does not flash", f"{RECORDING}panel.py", "    if reward == 0:", "    if reward >= 0:",
        f"{T}run/test_recording_panel.py -k flashes",
    ),
    Mutant(
        "recording: the GIF lacks the panel's colours", f"{RECORDING}gif.py", "np.concatenate([fixed, found[apart]])",
        "found", f"{T}run/test_recording_sinks.py -k appear_later",
    ),
    Mutant(
        "recording: an MP4 lacks the frames that the encoder still holds", f"{RECORDING}video.py",
        "            self._open.callback(self._flush)", "            pass",
        f"{T}run/test_recording_sinks.py -k same_frames",
    ),
    Mutant(
        "recording: a path is tried only when the file is written", "pyqmix/base/destination.py",
        "        require_writable(path)\n", "", f"{T}cli/test_evaluate.py -k before_an_episode",
    ),
    Mutant(
        "pyqmix-eval --json: a process that an environment starts prints into it", "pyqmix/base/output.py",
        "            os.dup2(2, 1)", "            pass", f"{T}cli/test_evaluate.py -k nothing_but",
    ),
    Mutant(
        "signals: pyqmix-eval leaves temporary files behind", "pyqmix/cli/start.py", "            if unwinds:", "            if False:",
        f"{T}run/test_interrupt.py -k temporary",
    ),
    Mutant(
        "a failed environment counts as one that hangs", ROLLOUT, "aborting.callback(self._watch.leave)", "pass",
        f"{T}play/test_rollout.py -k failures_name",
    ),
    Mutant(
        "a checkpoint that was removed meanwhile is an error", "pyqmix/run/stored.py", "_RETRIES = 3", "_RETRIES = 0",
        f"{T}run/test_stored.py",
    ),
    Mutant(
        "a checkpoint's weights are read when they are used", "pyqmix/run/stored.py", "return dict(self.weights) if name == WEIGHTS else",
        "return", f"{T}run/test_stored.py -k built",
    ),
    Mutant(
        "workers: a hanging one is waited for", WORKERS, "worker.heartbeat.seconds_left(limit) <= 0", "False",
        f"{T}play/test_workers.py -k 'fails_every_worker and hang' --timeout 20",
    ),
    Mutant(
        "targets are never copied", LEARNER, "self.updates % self.config.target_update == 0", "False",
        f"{T}learn/test_learner.py -k 'copied or 50_updates'",
    ),
    Mutant(
        "soft updates copy", "pyqmix/learn/networks.py", "if tau == 1.0 else", "if True else", f"{T}learn/test_learner.py -k 50_updates",
    ),
    Mutant(
        "gradients are not clipped", LEARNER, "self.flat, self.config.grad_clip)", "self.flat, 1e9)",
        f"{T}learn/test_learner.py -k 50_updates",
    ),
    Mutant(
        "RMSprop is Adam", "pyqmix/learn/optimizer.py", 'config.optimizer == "rmsprop"', "False", f"{T}learn/test_learner.py -k 50_updates",
    ),
    Mutant(
        "PyMARL's reduction does nothing", LEARNER, 'self.config.loss == "transitions"', "False",
        f"{T}learn/test_learner.py -k loss_and_gradients",
    ),
    Mutant(
        "the reward scale does nothing", LEARNER, "if scale == 1.0 else rows.rewards * scale", "if True else rewards",
        f"{T}learn/test_learner.py -k loss_and_gradients",
    ),
    Mutant(
        "independent learners sum their errors", MIXERS, "(weights / errors.shape[-1]).unsqueeze(-1)", "weights.unsqueeze(-1)",
        f"{T}learn/test_learner.py -k loss_and_gradients",
    ),
    Mutant(
        "VDN averages", MIXERS, "return agent_qs.sum(-1)", "return agent_qs.mean(-1)", f"{T}nn/test_nn.py -k vdn",
    ),
    Mutant(
        "epsilon does not fall", "pyqmix/config/config.py", "done = min(1.0, step / self.in_steps(self.eps_steps))", "done = 0.0",
        f"{T}config/test_config.py",
    ),
    Mutant(
        "a resumed run starts with a fresh optimizer", "pyqmix/run/learner_state.py",
        "learner.load_optimizer_state(", "dict(", f"{T}run/test_resume.py -k 'same_bits and default'",
    ),
    Mutant(
        "resume: the sampler's stream begins again", "pyqmix/run/state.py", "parts.sampler.load_state(", "dict(",
        f"{T}run/test_resume.py -k 'same_bits and default'",
    ),
    Mutant(
        "resume: the averages of the metrics begin again", "pyqmix/run/state.py", "parts.window.load(", "(lambda *_: 0)(",
        f"{T}run/test_resume.py -k 'same_bits and default'",
    ),
    Mutant(
        "resume: episodes of a round that failed stay in the replay buffer", "pyqmix/run/state.py",
        "replay.write(draft, parts.tickets)", "replay.write(draft, parts.ring.tickets)",
        f"{T}run/test_resume.py -k environment_failed",
    ),
    Mutant(
        "resume: other options are taken", "pyqmix/run/resume.py", "if name not in MAY_CHANGE and", "if False and",
        f"{T}run/test_resume.py -k changed_option",
    ),
    Mutant(
        "checkpoints: a damaged file is loaded", "pyqmix/run/manifest.py",
        'hashlib.sha256(data).hexdigest() != entry["checksum"]', "False", f"{T}run/test_resume.py -k damaged",
    ),
    Mutant(
        "two programs write one run", "pyqmix/run/lock.py",
        "return lock(self._descriptor)", "return True", f"{T}run/test_resume.py -k one_program",
    ),
    Mutant(
        "the lock of a run ends when its file is read", "pyqmix/run/lock.py",
        "fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WHOLE_FILE)",
        "fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)", f"{T}run/test_lock.py -k same_process",
    ),
    Mutant(
        "a forked process holds the lock of a run", "pyqmix/run/lock.py", "        held._close()\n", "        pass\n",
        f"{T}run/test_lock.py -k forked",
    ),
    Mutant(
        "another folder is taken for the run's", "pyqmix/run/lock.py",
        "os.path.samestat(os.stat(self._path), os.fstat(self._folder))", "self._path.exists()",
        f"{T}run/test_lock.py -k told_apart",
    ),
    Mutant(
        "a run without its lock's file is not locked again", "pyqmix/run/lock.py",
        "        if not self._has_its_file():\n            try:", "        if False:\n            try:",
        f"{T}run/test_lock.py -k may_be_removed",
    ),
    Mutant(
        "a moved run overwrites another", "pyqmix/run/folder.py", "            _refuse_used(path, name)\n",
        "            pass\n", f"{T}run/test_lock.py -k old_place",
    ),
    # Level-Based Foraging and native rollouts.
    Mutant(
        "lbf: who meets moves all the same", LBF, "targets[i] == targets[j];", "false && targets[i] == targets[j];",
        LBF_DIFFERENCES,
    ),
    Mutant(
        "lbf: loading needs one level more", LBF, "together >= food.level", "together > food.level",
        LBF_DIFFERENCES,
    ),
    Mutant(
        "lbf: food spawns two cells apart in a line", LBF, "down + across <= 2", "down + across <= 1",
        LBF_DIFFERENCES,
    ),
    Mutant(
        "lbf: food spawns beside food", LBF, "std::max(down, across) <= 1", "std::max(down, across) <= 0",
        LBF_DIFFERENCES,
    ),
    Mutant(
        "lbf: a reset forgets where players stood", LBF, "    spawn_players();\n    spawn_food();\n",
        "    forget();\n    spawn_players();\n    spawn_food();\n", LBF_DIFFERENCES,
    ),
    Mutant(
        "lbf: sight of players ends with the window", SEEN, "row > 2 * sight || col > 2 * sight",
        "row > self.row - corner.row + sight || col > self.col - corner.col + sight", LBF_DIFFERENCES,
    ),
    Mutant(
        "lbf: food is seen a cell too far", SEEN, "food.row > self.row + sight", "food.row > self.row + sight + 1",
        LBF_DIFFERENCES,
    ),
    Mutant(
        "lbf: oneself is not first", SEEN, "write(self.row - corner.row, self.col - corner.col, self.level);",
        "write(players[0].row - corner.row, players[0].col - corner.col, players[0].level);", LBF_DIFFERENCES,
    ),
    Mutant(
        "lbf: rewards are normalised by the food alone", LBF, "(together * food_spawned_)", "(food_spawned_)",
        LBF_DIFFERENCES,
    ),
    Mutant(
        "lbf: failing costs nothing", LBF, "rewards_[i] -= rules_.penalty;", "rewards_[i] -= 0.0;",
        LBF_DIFFERENCES,
    ),
    Mutant(
        "lbf: food levels are not permuted", LBF, "rules_.min_food_level[order[placed]]",
        "rules_.min_food_level[placed]", LBF_DIFFERENCES,
    ),
    Mutant(
        "lbf: player levels are not permuted", LBF, "rules_.min_player_level[order[i]]",
        "rules_.min_player_level[i]", LBF_DIFFERENCES,
    ),
    Mutant(
        "lbf: a grid shows players' cells as free", SEEN, "access[row * side + col] = T(0);", ";", LBF_DIFFERENCES,
    ),
    Mutant(
        "lbf: half of a random number is thrown away", "csrc/envs/numpy_random.h", "has_half_ = true;", "",
        LBF_DIFFERENCES,
    ),
    Mutant(
        "lbf: an individual reward is the team's", BATCH, "0.0 : rewards[i]", "0.0 : world.reward()", f"{T}envs/lbf/test_lbf.py -k individual",
    ),
    Mutant(
        "lbf: the mean reward is the sum", WORLD, "options_.team_reward == TeamReward::mean", "false",
        f"{T}envs/lbf/test_lbf.py -k team_reward",
    ),
    Mutant(
        "native: one coin for the whole team", NATIVE, "coins[i] < epsilon", "coins[0] < epsilon",
        f"{T}play/test_native_rollout.py -k own_coin", "coin",
    ),
    Mutant(
        "native: the step limit is stored as termination", NATIVE, "at.world.terminated());", "at.world.ended());",
        f"{T}play/test_native_rollout.py -k of_python", "time-limit",
    ),
    Mutant(
        "native: exploration depends on the lane", NATIVE, "Stream::exploration, place)",
        "Stream::exploration, std::uint64_t(k))", f"{T}play/test_native_rollout.py -k company", "seeds",
    ),
    Mutant(
        "native: slots are given from the other end", NATIVE, "index - claimed.begin)]",
        "claimed.end - 1 - index)]", f"{T}play/test_native_rollout.py -k of_python",
    ),
    Mutant(
        "native: a slot that was taken away is not told", NATIVE, "throw SlotTaken(episode);", "return;",
        f"{T}play/test_native_rollout.py -k taken_away",
    ),
    Mutant(
        "native: an ended lane leaves its observation behind", NATIVE, "            std::swap(from, lane(playing_));\n",
        "            std::swap(from, lane(playing_));\n            return false;\n",
        f"{T}play/test_native_rollout.py -k company",
    ),
    Mutant(
        "native: the policy forgets who acts", "csrc/play/policy_cpu.cpp", "(row + r) % layer.biases",
        "0 * (row + r)", f"{T}play/test_native_rollout.py -k values_are",
    ),
    Mutant(
        "native: the hidden state of the last episode is kept", NATIVE,
        "        std::fill_n(hidden_.begin() + k * hidden_width_, hidden_width_, 0.0f);\n", "",
        f"{T}play/test_native_rollout.py -k afresh", "hidden-state",
    ),
    Mutant(
        "native: an ended lane leaves its hidden state behind", NATIVE, "            take_over(hidden_, hidden_width_, k);\n",
        "", f"{T}play/test_native_rollout.py -k company",
    ),
    Mutant(
        "native: every feed-forward agent acts by the first one's network", "csrc/play/policy.cpp",
        "&layers_[network * depth_], depth_", "&layers_[0 * network], depth_", f"{T}play/test_native_rollout.py -k values_are",
    ),
    Mutant(
        "native: every recurrent agent acts by the first one's network", "csrc/play/policy.cpp",
        "networks_[static_cast<std::size_t>(network)], rows", "networks_[0 * network], rows",
        f"{T}play/test_native_rollout.py -k values_are",
    ),
    # Networks that agents do not share.
    Mutant(
        "the option not to share parameters does nothing", "pyqmix/config/networks.py",
        "share_parameters=config.share_parameters", "share_parameters=True", f"{T}learn/test_learner.py -k learn_apart",
    ),
    Mutant(
        "agents of their own begin alike", "pyqmix/nn/per_agent.py", "for module in modules]", "for module in [modules[0]] * n_agents]",
        f"{T}nn/test_nn.py -k their_own",
    ),
    # Targets of more than one step.
    Mutant(
        "n-step targets are one-step targets", TARGETS, "if config.n_step > 1:", "if config.n_step > 10**18:",
        f"{T}learn/test_targets.py -k single_episodes",
    ),
    Mutant(
        "TD(lambda) targets are one-step targets", TARGETS, "if config.td_lambda > 0:", "if config.td_lambda > 1:",
        f"{T}learn/test_targets.py -k single_episodes",
    ),
    Mutant(
        "n-step targets sum a reward too many", TARGETS, "len(rows.point_counts) - 1) - 1):",
        "len(rows.point_counts) - 1)):", f"{T}learn/test_targets.py -k single_episodes",
    ),
    Mutant(
        "n-step targets do not discount", TARGETS, "now + gamma * targets[later:]", "now + targets[later:]",
        f"{T}learn/test_targets.py -k has_its_return",
    ),
    Mutant(
        "TD(lambda) forgets to decay", TARGETS, "following, shares[t], value", "following, shares[t] ** 0, value",
        f"{T}learn/test_targets.py -k single_episodes",
    ),
    Mutant(
        "TD(lambda) runs forward in time", TARGETS, "range(len(at_times) - 2, -1, -1)", "range(len(at_times) - 1)",
        f"{T}learn/test_targets.py -k has_its_return",
    ),
    Mutant(
        "a longer target goes on in another episode", ROWS, "self.now[self.n_episodes :] - self.n_episodes",
        "self.now[self.n_episodes :] - 1", f"{T}learn/test_targets.py -k single_episodes",
    ),
    # Training steps in plain PyTorch.
    Mutant(
        "the backend is not passed on", LEARNER, "ops.use_backend(self.config.backend)", 'ops.use_backend("fused")',
        f"{T}ops/test_backend.py -k nothing_compiled",
    ),
    Mutant(
        "the reference backend fuses what it can", "pyqmix/ops/eager.py", "return not wants_reference() and is_plain(*values)", "return is_plain(*values)",
        f"{T}ops/test_backend.py -k nothing_compiled",
    ),
    Mutant(
        "a backend outlives its block", "pyqmix/ops/backend.py", "_backend.reset(token)", "pass",
        f"{T}ops/test_backend.py -k ends_with",
    ),
    # The mixing network in one pass.
    Mutant(
        "network: a tile's gradients overwrite the last one's", "csrc/gemm/gemm.h",
        "    else if (!finish.overwrite)", "    else if (finish.positive && !finish.overwrite)", f"{T}ops/test_qmixer.py -k values_and_gradients",
    ),
    Mutant(
        "network: ReLU passes gradients below zero", "csrc/gemm/gemm.h", "sum = other > T(0) ? sum : Vector{};", "",
        f"{T}ops/test_qmixer.py -k values_and_gradients",
    ),
    Mutant(
        "network: the value's hidden layer has no ReLU", "csrc/ops/qmixer/plan.h", "relu_width(b1),",
        "relu_width(hidden_v),", f"{T}ops/test_qmixer.py -k values_and_gradients",
    ),
    Mutant(
        "network: only the first chunk's gradients count", "csrc/ops/qmixer/qmixer.cpp",
        "for (std::size_t chunk = 1; chunk < sums.size(); ++chunk) {", "for (std::size_t chunk = sums.size(); chunk < sums.size(); ++chunk) {", f"{T}ops/test_qmixer.py -k values_and_gradients",
    ),
    Mutant(
        "network: a group's tiles share one tile's gradients", "csrc/ops/qmixer/qmixer_cpu.cpp",
        "const TileGrads<T> grads = group.tile(row - first);", "const TileGrads<T> grads = group.tile(0);",
        f"{T}ops/test_qmixer.py -k values_and_gradients",
    ),
    Mutant(
        "network: only a piece of the states' products is added", "csrc/gemm/gemm.h",
        "for (std::int64_t k = 0; k < depth; k += kDepth)\n                rows_of_panel",
        "for (std::int64_t k = 0; k < std::min(depth, kDepth); k += kDepth)\n                rows_of_panel",
        f"{T}ops/test_qmixer.py -k values_and_gradients",
    ),
    Mutant(
        "network: chunks depend on the number of threads", "csrc/base/row_chunks.h",
        "const std::int64_t chunks = chunks_of(rows, tile_rows);",
        "const std::int64_t chunks = std::min<std::int64_t>(threads, chunks_of(rows, tile_rows));",
        f"{T}ops/test_qmixer.py -k number_of_threads",
    ),
    Mutant(
        "network: the target mixes under the first rows' states", "csrc/ops/qmixer/qmixer_cpu.cpp",
        "        at.next_qs = from(target.next_qs, row);", "        at.next_qs = from(target.next_qs, 0);",
        f"{T}ops/test_qmixer.py -k test_target",
    ),
    Mutant(
        "network: sums of biases round at each row", "csrc/base/column_sums.h",
        "sums[first + j] += few[j];", "sums[first + j] = float(float(sums[first + j]) + float(few[j]) * (1 + 3e-7f));",
        f"{T}ops/test_qmixer.py -k as_exact_as_eager",
    ),
    # The recurrent unit over whole sequences.
    Mutant(
        "gru: gradients stop at each step", "csrc/ops/gru/gru_cpu.cpp", "        if (t > 0)\n            product",
        "        if (false)\n            product", f"{T}ops/test_gru.py -k values_and_gradients",
    ),
    Mutant(
        "gru: the reset gate is left out backward", "csrc/ops/gru/gates.h", "store<T>(grad_n * r, grads.hn",
        "store<T>(grad_n, grads.hn", f"{T}ops/test_gru.py -k values_and_gradients",
    ),
    Mutant(
        "gru: only the first chunk's gradients count", "csrc/ops/gru/gru.cpp", "chunk < chunks; ++chunk) {\n                const",
        "chunk < 1; ++chunk) {\n                const", f"{T}ops/test_gru.py -k values_and_gradients",
    ),
    Mutant(
        "gru: the last tile of gradients is forgotten", "csrc/ops/gru/gru_cpu.cpp", "    tile.flush();\n", "",
        f"{T}ops/test_gru.py -k values_and_gradients",
    ),
    Mutant(
        "gru: only a piece of a long tile is added", "csrc/ops/gru/gru_cpu.cpp", "row < used_; row += kTogether",
        "row < std::min(used_, kTogether); row += kTogether", f"{T}ops/test_gru.py -k values_and_gradients",
    ),
    Mutant(
        "gru: every group has the first one's weights", "csrc/ops/gru/gru.cpp", "of_group(in.shape, in.parameters, group)",
        "of_group(in.shape, in.parameters, 0)", f"{T}ops/test_gru.py -k groups_are_separate",
    ),
    Mutant(
        "gru: the exponential lacks a term", "csrc/ops/gru/gates.h", "{1.0f / 5040,", "{0.0f,", f"{T}ops/test_gru.py -k last_place",
    ),
    Mutant(
        "gru: NaN becomes a number", "csrc/ops/gru/gates.h", "below = x < lowest ? lowest : x;",
        "below = x > lowest ? x : lowest;", f"{T}ops/test_gru.py -k nan_stays",
    ),
    Mutant(
        "gru: the agent takes torch's", "pyqmix/nn/agents.py", "if parameters is not None and (may_fuse(features)",
        "if parameters is not None and (False", f"{T}ops/test_gru.py -k agent_uses",
    ),
    Mutant(
        "loss: its gradient lacks the factor 2", "csrc/ops/qmixer/qmixer_cpu.cpp", "grad_q_tot[r] = T(2) * weighted;",
        "grad_q_tot[r] = weighted;", f"{T}ops/test_qmixer_loss.py -k values_and_gradients",
    ),
    Mutant(
        "loss: a row's weight is left out", "csrc/ops/qmixer/qmixer_cpu.cpp",
        "const T weighted = error.weights[row + r] * away;", "const T weighted = away;",
        f"{T}ops/test_qmixer_loss.py -k values_and_gradients",
    ),
    Mutant(
        "loss: the gradient is not scaled by what follows", "pyqmix/ops/qmixer.py", "if scale != 1.0:",
        "if scale != scale:", f"{T}ops/test_qmixer_loss.py -k values_and_gradients",
    ),
    Mutant(
        "flat: a copy shares the block", "pyqmix/nn/flat.py", "copied.block = copy.deepcopy(self.block, memo)",
        "copied.block = self.block", f"{T}ops/test_qmixer_loss.py -k deep_copy",
    ),
    Mutant(
        "layers: agents are told apart by the tile's rows", "csrc/ops/mlp/mlp_cpu.cpp", "(row + r) % plan.one_hot",
        "r % plan.one_hot", f"{T}ops/test_mlp.py -k values_and_gradients",
    ),
    Mutant(
        "layers: ReLU passes gradients below zero", "csrc/ops/mlp/mlp_cpu.cpp", "finish.positive = positive.data;", "",
        f"{T}ops/test_mlp.py -k values_and_gradients",
    ),
    Mutant(
        "layers: groups share the first one's weights", "csrc/ops/mlp/mlp.cpp",
        "const T* const weight = from[k].weight + group * layer.outputs * layer.inputs;",
        "const T* const weight = from[k].weight;", f"{T}ops/test_mlp.py -k values_and_gradients",
    ),
    # Episodes on a cluster.
    Mutant(
        "packed: an episode may come twice", PACKED, "        if (came[place_of(head.episode)])\n", "        if (false)\n",
        f"{T}replay/test_packed.py -k twice",
    ),
    Mutant(
        "packed: damage is not noticed", PACKED, "    if (found.head.checksum != checksum_of_episode", "    if (false && found.head.checksum != checksum_of_episode",
        f"{T}replay/test_packed.py -k damaged",
    ),
    Mutant(
        "packed: all episodes have the first one's ticket", PACKED, "ring.claim_ticket(ticket_ + static_cast<std::uint64_t>(place),",
        "ring.claim_ticket(ticket_,", f"{T}replay/test_packed.py -k ticket_says",
    ),
    Mutant(
        "cluster: a round more is ordered ahead", CLUSTER, "range(len(self._rounds), self._config.max_staleness)",
        "range(len(self._rounds), self._config.max_staleness + 1)", f"{T}play/test_cluster.py -m '' -k slow_learner",
    ),
    Mutant(
        "cluster: staleness is not counted", CLUSTER, ".behind(self._begun - taken.begun)", ".behind(0)",
        f"{T}play/test_cluster.py -m '' -k weights_of_the_rounds",
    ),
    Mutant(
        "cluster: a checkpoint forgets the rounds ahead", CLUSTER, "for each in list(self._rounds)[: self._config.max_staleness]:",
        "for each in ():", f"{T}play/test_cluster.py -m '' -k resumed",
    ),
    Mutant(
        "cluster: whoever waits behind a fatal order is blamed", "pyqmix/play/cluster/pool.py", "        for task in tasks[:1]:",
        "        for task in tasks[::-1]:", f"{T}play/test_cluster.py -m '' -k 'always_kills and kill-'",
    ),
    # Episodes beside the training steps.
    Mutant(
        "overlap: nothing is played ahead", RUN, "        if not self.is_complete:\n            self.rollout.start(",
        "        if False:\n            self.rollout.start(", f"{T}play/test_overlap.py -k 'lags and rare'",
    ),
    Mutant(
        "overlap: the weights are not taken anew", OVERLAP, "        self._take_weights()\n        self._thread.start",
        "        self._thread.start", f"{T}play/test_overlap.py -k 'lags and rare'",
    ),
    Mutant(
        "overlap: training steps wait for the episodes", OVERLAP,
        "        self._thread.start(partial(self._play, first, count, epsilon))\n        self._playing = True\n",
        "        self.ahead = self._play(first, count, epsilon)\n",
        f"{T}play/test_overlap.py -k 'faster and episodes'",
    ),
    Mutant(
        "overlap: the actor has the agent's own weights", OVERLAP, "copied(agent).to", "agent.to",
        f"{T}play/test_overlap.py -k 'actor_keeps'",
    ),
    Mutant(
        "overlap: episodes are seen before they are asked for", OVERLAP,
        "EpisodeRing(ring.spec, 2 * config.num_envs, shared=ring.shared)", "ring", f"{T}play/test_overlap.py -k unseen",
    ),
    Mutant(
        "overlap: what the thread raises is lost", "pyqmix/base/call_thread.py", "            raise outcome\n", "            return None  # type: ignore\n",
        f"{T}play/test_overlap.py -k traceback",
    ),
    Mutant(
        "overlap: the end of a run waits for the episodes", "pyqmix/base/call_thread.py", "self._thread.join(timeout)",
        "self._thread.join()", f"{T}play/test_overlap.py -k failing_training_step --timeout 20",
    ),
    Mutant(
        "overlap: episodes are copied the last first", "csrc/replay/ring_transfer.cpp",
        "first + static_cast<std::uint64_t>(k)", "first + static_cast<std::uint64_t>(count - 1 - k)",
        f"{T}play/test_overlap.py -k order_of_their_tickets",
    ),
    # Prioritised sampling.
    Mutant(
        "prioritised: errors are not taken in", DRAW, "tree_.set(place.slot, weight_of(priority",
        "if (false) tree_.set(place.slot, weight_of(priority", f"{T}replay/test_prioritised.py -k proportion",
    ),
    Mutant(
        "prioritised: alpha does nothing", DRAW, "std::pow(priority, alpha_)", "std::pow(priority, 1.0 + 0.0 * alpha_)",
        f"{T}replay/test_prioritised.py -k proportion",
    ),
    Mutant(
        "prioritised: the tree's search forgets the left part", "csrc/replay/sum_tree.h",
        "            mass -= sums_[node];\n", "", f"{T}replay/test_prioritised.py -k proportion",
    ),
    Mutant(
        "prioritised: a priority outlives its episode", DRAW, "if (now == known) return;",
        "if ((now == 0) == (known == 0)) return;", f"{T}replay/test_prioritised.py -k overwritten",
    ),
    Mutant(
        "prioritised: errors go to an episode's successor", DRAW,
        "if (generations_[static_cast<std::size_t>(place.slot)] != place.generation) return;", "",
        f"{T}replay/test_prioritised.py -k successors",
    ),
    Mutant(
        "prioritised: a new episode has priority 1", DRAW, "weight_of(largest_ > 0.0 ? largest_ : 1.0)",
        "weight_of(1.0)", f"{T}replay/test_prioritised.py -k largest",
    ),
    Mutant(
        "prioritised: draws are not stratified", DRAW, "(static_cast<double>(k) + uniform(random_)) / double(batch)",
        "uniform(random_)", f"{T}replay/test_prioritised.py -k each_share",
    ),
    Mutant(
        "prioritised: an error that is no number is taken in", DRAW, "if (std::isnan(error)) return;", "",
        f"{T}replay/test_prioritised.py -k no_number",
    ),
    Mutant(
        "prioritised: importance weights are 1", PRIORITISED, "** -beta)", "** (0 * beta))",
        f"{T}replay/test_prioritised.py -k formulas",
    ),
    Mutant(
        "prioritised: importance stays out of the loss", LEARNER, "weights * inputs.importance.to(weights)[rows.episodes]",
        "weights", f"{T}replay/test_prioritised.py -k weighs",
    ),
    Mutant(
        "prioritised: errors count at once", PRIORITISED, "while len(self._learned) > 1:", "while self._learned:",
        f"{T}replay/test_prioritised.py -k draw_after_the_next",
    ),
    Mutant(
        "prioritised: a run forgets the errors", RUN, "self.sampler.learn(stats.episode_errors)", "pass",
        f"{T}replay/test_prioritised.py -k draws_by_the_errors",
    ),
    Mutant(
        "prioritised: an episode's error is a sum", "pyqmix/learn/step.py", "return sums / lengths", "return sums",
        f"{T}replay/test_prioritised.py -k mean_absolute",
    ),
    Mutant(
        "prioritised: beta does not rise", "pyqmix/config/config.py", "self.per_beta + done * (1.0 - self.per_beta)",
        "self.per_beta", f"{T}config/test_config.py -k importance",
    ),
    Mutant(
        "episodes_per_update does nothing", "pyqmix/config/config.py", "return episodes / self.episodes_per_update",
        "return float(episodes)", f"{T}config/test_config.py -k exclude",
    ),
    Mutant(
        "updates per environment step are those of the whole run", "pyqmix/run/window.py", "len(self.updates) / taken",
        "len(self.updates) / steps", f"{T}run/test_trainer.py -k metrics_file",
    ),
    Mutant(
        "target: of equal values the last is chosen", "csrc/ops/td_target/td_target_math.h",
        "where = x > most ? lane", "where = x >= most ? lane",
        f"{T}ops/test_td_target.py -k equal",
    ),
    Mutant(
        "target: of few equal values the last is chosen", "csrc/ops/td_target/td_target_math.h",
        "where = x > most ? a", "where = x >= most ? a",
        f"{T}ops/test_td_target.py -k equal",
    ),
    Mutant(
        "adam: the gradient is not clipped", "csrc/ops/adam/adam.cpp", "scale > 1.0 ? 1.0 : scale", "1.0",
        f"{T}ops/test_adam.py -k equals_the_reference",
    ),
    Mutant(
        "adam: the means are not corrected for their start", "csrc/ops/adam/adam_cpu.cpp",
        "step.lr / (1.0 - std::pow(step.beta1, steps))", "step.lr", f"{T}ops/test_adam.py -k equals_the_reference",
    ),
    Mutant(
        "threads: workers wait without end and never sleep", "csrc/base/parallel.cpp", "> kSoon) return false;",
        "> kSoon) continue;", f"{T}ops/test_parallel.py -k take_no_core",
    ),
    Mutant(
        "threads: a job of few threads wakes all", "csrc/base/parallel.cpp", "wake(threads - 1);",
        "wake(static_cast<int>(workers_.size()));",
        f"{T}ops/test_parallel.py -k wakes_few",
    ),
    Mutant(
        "threads: the last rows are nobody's", "csrc/base/parallel.cpp", "rows_ * (unit + 1) / units_;",
        "rows_ * (unit + 1) / (units_ + 1);", f"{T}ops/test_parallel.py -k get_the_same",
    ),
    Mutant(
        "whole step: the online network never chooses", STEP, "if (step.double_q) one_step.online_next_qs",
        "if (false) one_step.online_next_qs", f"{T}ops/test_training_step.py -k equals_the_reference",
    ),
    Mutant(
        "whole step: a step's values are those of its row", STEP, "rows.now[r] * width + i", "r * width + i",
        f"{T}ops/test_training_step.py -k equals_the_reference",
    ),
    Mutant(
        "whole step: the target mixes under other states", STEP, "mixing.states = {rows.states[next]",
        "mixing.states = {rows.states[0]", f"{T}ops/test_training_step.py -k equals_the_reference",
    ),
    Mutant(
        "whole step: a recurrent agent's first layer passes gradients below zero", "csrc/ops/mlp/mlp_cpu.cpp",
        "out[r][j] > T(0) ? grad_out[r][j] : T(0)", "grad_out[r][j] + T(0) * out[r][j]",
        f"{T}ops/test_training_step.py -k equals_the_reference",
    ),
    Mutant(
        "whole step: a recurrent agent's points are one episode's", "csrc/learn/agent.cpp",
        "push_back(episodes * rows_of_point(spec))", "push_back(rows_of_point(spec))",
        f"{T}ops/test_training_step.py -k equals_the_reference",
    ),
    Mutant(
        "whole step: any action is read", STEP, 'require_below("actions"', 'if (false) require_below("actions"',
        f"{T}ops/test_training_step.py -k are_named",
    ),
    Mutant(
        "whole step: training never takes it", "pyqmix/learn/native_step.py", 'config.backend == "fused"', 'config.backend == ""',
        f"{T}ops/test_training_step.py -k in_one_call",
    ),
    Mutant(
        "packing: episodes of one length change their order", "csrc/ops/episodes/pack.cpp",
        "return length(a) > length(b);", "return length(a) > length(b) || (length(a) == length(b) && a > b);",
        f"{T}ops/test_training_step.py -k packing",
    ),
    Mutant(
        "packing: each thread leaves out what is at its first time", "csrc/ops/episodes/pack.cpp",
        "std::max<std::int64_t>(begin, 1)", "begin + 1", f"{T}ops/test_training_step.py -k by_threads",
    ),
    Mutant(
        "features: positions stay absolute", SEEN, "if (positions_ != Positions::absolute)", "if (false)",
        f"{T}envs/lbf/test_features.py -k relative_to_the_agent",
    ),
    Mutant(
        "features: what is unseen has a distance", SEEN, "const bool seen = at[offset] >= 0;",
        "const bool seen = true;", f"{T}envs/lbf/test_features.py -k relative_to_the_agent",
    ),
    Mutant(
        "features: distances of one agent reach the next one's observation", SEEN,
        "if (sees_all_ && i > 0 && positions_ != Positions::relative && !nearest_first_)",
        "if (sees_all_ && i > 0 && !nearest_first_)", f"{T}envs/lbf/test_features.py -k relative_to_the_agent",
    ),
    Mutant(
        "features: all agents see food in the order of the first one's distances", SEEN,
        "positions_ != Positions::relative && !nearest_first_)", "positions_ != Positions::relative)",
        f"{T}envs/lbf/test_features.py -k nearest_stand_first",
    ),
    Mutant(
        "features: unseen food counts as near", SEEN,
        "if (item[0] < 0) return std::numeric_limits<int>::max();", "",
        f"{T}envs/lbf/test_features.py -k nearest_stand_first",
    ),
    Mutant(
        "features: equally near items change their order", SEEN, "steps(item) < steps(item - width)",
        "steps(item) <= steps(item - width)", f"{T}envs/lbf/test_features.py -k nearest_stand_first",
    ),
    Mutant(
        "features: an episode starts with the last action of the one before", WORLD,
        "std::fill(last_actions_.begin(), last_actions_.end(), kNoAction);", "", f"{T}envs/lbf/test_features.py -k last_action",
    ),
    Mutant(
        "features: a batch does not keep the last action", BATCH, "world.step(actions + k * n)",
        "world.game().step(actions + k * n)", f"{T}envs/lbf/test_features.py -k last_action",
    ),
    Mutant(
        "features: native episodes do not keep the last action", NATIVE,
        "at.world.step(actions_.data())", "at.world.game().step(actions_.data())",
        f"{T}play/test_native_rollout.py -k last",
    ),
    Mutant(
        "features: a batch shows the game's own observations", BATCH,
        "world.observe(out.obs + place * spec.n_agents * spec.obs_dim)",
        "world.game().observe(out.obs + place * spec.n_agents * spec.obs_dim, spec.obs_dim)",
        f"{T}envs/lbf/test_features.py -k last_action",
    ),
    Mutant(
        "features: inputs are not scaled", "pyqmix/envs/native.py", "        if scale_inputs:\n", "        if False:\n", f"{T}envs/lbf/test_features.py -k 'scale_is_one or evaluated_as'",
    ),
    Mutant(
        "guest: a dual tensor reaches a kernel", "pyqmix/ops/eager.py", " or forward_ad._current_level >= 0\n", "\n",
        f"{T}ops/test_transforms.py -k dual",
    ),
    Mutant(
        "guest: a batched gradient reaches a kernel", "pyqmix/ops/eager.py",
        "        and not torch._C._functorch.is_legacy_batchedtensor(grad)  # is_grads_batched=True\n", "",
        f"{T}ops/test_transforms.py -k is_grads_batched",
    ),
    Mutant(
        "guest: an input given twice counts twice", "pyqmix/ops/eager.py", "[x.view_as(x) for x in inputs]", "list(inputs)",
        f"{T}ops/test_mix.py -k twice",
    ),
    Mutant(
        "guest: hooks of a layer are left out", "pyqmix/nn/untouched.py", "        state[\"_forward_hooks\"]\n        or state",
        "        state", f"{T}nn/test_touched.py -k layer_of_the_mixer",
    ),
    Mutant(
        "guest: another activation is a ReLU", "pyqmix/nn/linear.py", "if of_activation is None or of_first",
        "if of_first", f"{T}nn/test_touched.py -k activation",
    ),
    Mutant(
        "guest: a changed network is learned natively", "pyqmix/nn/native.py",
        " and is_as_made(network) else None", " else None", f"{T}nn/test_touched.py -k changed",
    ),
    Mutant(
        "guest: hooks of parameters are left out", "pyqmix/nn/native.py", "p is q and not p._backward_hooks", "p is q",
        f"{T}learn/test_changed_networks.py",
    ),
    Mutant(
        "guest: frozen parameters are learned natively", "pyqmix/learn/native_step.py", " or not learned:", ":",
        f"{T}learn/test_changed_networks.py",
    ),
    Mutant(
        "guest: hooks of parameters are not copied", "pyqmix/nn/copying.py",
        "            other._backward_hooks = parameter._backward_hooks\n", "            pass\n",
        f"{T}learn/test_changed_networks.py",
    ),
    Mutant(
        "guest: a compiler's operator has no tangent", "pyqmix/ops/operators.py",
        "twin(*x) if is_function_transformed() else kernel(*x)", "kernel(*x)",
        f"{T}ops/test_mix.py -k by_name",
    ),
    Mutant(
        "guest: mixing under autocast is of low precision", "pyqmix/ops/eager.py",
        "return value.float() if isinstance(value, Tensor) and value.dtype in _HALF else value", "return value",
        f"{T}nn/test_touched.py -k autocast_computes",
    ),
    Mutant(
        "guest: a default device gets the rows", "pyqmix/ops/packing.py", "lengths.new_empty(3, n_steps)",
        "torch.empty(3, n_steps, dtype=torch.int64)", f"{T}ops/test_packing.py -k default_device",
    ),
    Mutant(
        "guest: a tensor without memory is read", "csrc/bindings/tensors.h", "if (!data) require_empty();", "",
        f"{T}nn/test_touched.py -k numbers_to_read",
    ),
    Mutant(
        "features: the agent does not scale", "pyqmix/nn/agent.py", "obs if self.obs_scale is None else obs * self.obs_scale",
        "obs", f"{T}envs/lbf/test_features.py -k agents_scale",
    ),
    Mutant(
        "features: the native agent does not scale", "csrc/play/policy_cpu.cpp",
        "to[r * all.obs_dim + k] = from[k] * all.obs_scale[k];", "to[r * all.obs_dim + k] = from[k];",
        f"{T}envs/lbf/test_features.py -k agents_scale",
    ),
    Mutant(
        "features: the mixer's state is not scaled", LEARNER, "if self._state_scale is not None:", "if False:",
        f"{T}envs/lbf/test_features.py -k learner_scales",
    ),
    Mutant(
        "the learning rate stays", RUN, "self.learner.set_learning_rate(self.config.learning_rate(self.progress.steps))",
        "pass", f"{T}run/test_trainer.py -k learning_rate",
    ),
    Mutant(
        "the learning rate does not fall", "pyqmix/config/config.py", "self.lr + done * (self.lr_end - self.lr)", "self.lr",
        f"{T}config/test_config.py -k learning_rate",
    ),
    Mutant(
        "transitions: whole episodes are learned from", LEARNER, "if inputs.draws is None else", "if True else",
        f"{T}learn/test_learner.py -k transitions",
    ),
    Mutant(
        "transitions: every update draws the same", LEARNER, "Stream.TRANSITIONS, self.updates)",
        "Stream.TRANSITIONS, 0)", f"{T}learn/test_learner.py -k its_own_transitions",
    ),
    Mutant(
        "transitions: an episode's own length does not count", LEARNER,
        "return 1.0 / (lengths * (1.0 / lengths).sum())", "return torch.full_like(lengths, 1.0 / len(lengths))",
        f"{T}learn/test_learner.py -k loss_of_transitions",
    ),
    Mutant(
        "transitions: padding is drawn", ROWS, "ends = batch.lengths.cumsum(0)",
        "ends = torch.full_like(batch.lengths, points - 1).cumsum(0)", f"{T}learn/test_learner.py -k drawn_uniformly",
    ),
    Mutant(
        "hidden states of Python episodes are those of other rows", ACTOR, "self._hidden[list(rows)] = hidden",
        "self._hidden[: len(rows)] = hidden", f"{T}play/test_rollout.py -k 'number_of_environments'", "hidden-state",
    ),
    Mutant(
        "workers share parameters whatever they are told", "pyqmix/play/worker.py",
        "network_spec(worlds.spec, config)", "network_spec(worlds.spec, config.replace(share_parameters=True))",
        f"{T}play/test_workers.py -k without_shared",
    ),
    Mutant(
        "an action that a GPU found missing is forgotten", "pyqmix/ops/late_errors.py",
        "if found >= 0:",
        "if found >= 1 << 62:",
        "tests/cuda/test_cuda.py -k noted_missing",
    ),
    Mutant(
        "captured: padding weighs in the loss", ROWS, "self.real.view(-1, len(values)) * values",
        "torch.ones_like(self.real).view(-1, len(values)) * values",
        f"{T}learn/test_captured.py -k changes_nothing",
    ),
    Mutant(
        "captured: padding's followers count in n-step targets", TARGETS, "longer, first)", "longer, longer)",
        f"{T}learn/test_captured.py -k changes_nothing",
    ),
    Mutant(
        "captured: padding has errors", "pyqmix/learn/step.py", "errors * real", "errors", f"{T}learn/test_captured.py -k changes_nothing",
    ),
    Mutant(
        "captured: what padding holds is read", REFERENCE, "turned.masked_fill(~kept", "turned.masked_fill((kept & ~kept)",
        f"{T}learn/test_captured.py -k changes_nothing",
    ),
    Mutant(
        "captured: padding does not end", ROWS, "terminated.ge(rows.real)", "terminated",
        f"{T}learn/test_captured.py -k changes_nothing",
    ),
    Mutant(
        "captured: a batch of several pieces is copied as one", "pyqmix/replay/batch.py",
        "field(default=None, init=False, repr=False)", "field(default=None, repr=False)",
        f"{T}replay/test_replay.py -k several_pieces",
    ),
    Mutant(
        "captured: a batch with room shows all of it", "pyqmix/replay/sampler.py",
        "view.up_to(longest)", "view.batch", f"{T}replay/test_replay.py -k room",
    ),
    Mutant(
        "linear: the ReLU of one group of many", "pyqmix/ops/linear.py",
        "relu if bias.dim() == 1 else relu // weight.shape[0] * bias.numel()", "relu", f"{T}ops/test_linear.py -k hands_over",
    ),
    Mutant(
        "linear: gradients are read as they lie", "pyqmix/ops/linear.py", "readable(grad.reshape(rows, width))",
        "grad.reshape(rows, width)", f"{T}ops/test_linear.py -k any_layout",
    ),
    Mutant(
        "linear: stacked layers all have a ReLU", "pyqmix/nn/linear.py", "sum(widths[: len(with_relu)])",
        "sum(widths)", f"{T}nn/test_nn.py -k stacked",
    ),
    Mutant(
        "an acting copy of a GPU's policy grows old", ACTOR, "if self._actor is not self._agent:",
        "if self._actor is None:", f"{T}play/test_rollout.py -k up_to_date",
    ),
    Mutant(
        "captured: inputs are not copied to where the graph reads", "pyqmix/learn/graph_step.py",
        "part.copy_(getattr(batch, name))", "part.shape", f"{T}learn/test_captured.py -k ordinary",
    ),
    Mutant(
        "captured: the learning rate stays", LEARNER, 'group["lr"].fill_(lr)', "pass", f"{T}learn/test_captured.py -k ordinary",
    ),
    Mutant(
        "captured: stats are the next step's", "pyqmix/learn/graph_step.py", "shape.stats.copy()", "shape.stats",
        f"{T}learn/test_captured.py -k callers_own",
    ),
    Mutant(
        "by name, mixing takes anything", "pyqmix/ops/mixing.py", "    check_mix_inputs(*inputs)\n    return _forward",
        "    return _forward", f"{T}ops/test_mix.py -k registered",
    ),
    Mutant(
        "by name, the target takes anything", "pyqmix/ops/target.py", "    _check_inputs(inputs, (w1, b1, w_final, v))\n", "",
        f"{T}ops/test_td_target.py -k registered",
    ),
    Mutant(
        "an agent without action goes unnoticed on a GPU", "pyqmix/ops/target.py", "    note_missing_action(missing)",
        "    missing", f"{T}learn/test_captured.py -k somebody_asks",
    ),
    Mutant(
        "a device's store keeps what was overwritten", "pyqmix/replay/device_store.py",
        "self._generations[slots] != generations", "self._generations[slots] == 0", f"{T}learn/test_device.py -k store",
    ),
    Mutant(
        "auto takes the slower device", "pyqmix/learn/device.py", "theirs.seconds < ours.seconds",
        "theirs.seconds > ours.seconds", f"{T}learn/test_device.py -k faster",
    ),
    Mutant(
        "auto takes a GPU that learns something else", "pyqmix/learn/device.py", "rtol=_SAME", "rtol=1e3",
        f"{T}learn/test_device.py -k fails",
    ),
    Mutant(
        "bfloat16 reaches the CPU's kernels", "pyqmix/ops/checks.py",
        "too = bfloat16 and value.device.type != \"cpu\"",
        "too = bfloat16",
        "tests/cuda/test_cuda.py -k refused_on_the_cpu",
    ),
    Mutant(
        "after truncation no action is needed", "pyqmix/envs/contract.py", "needs_action=not terminated",
        "needs_action=not (terminated or step.truncated)", f"{T}envs/test_contract.py", "time-limit",
    ),
    Mutant(
        "flags: one agent's ends the episode of all", "pyqmix/envs/told.py", "    over = all(np.logical_or(ended, cut))\n",
        "    over = any(np.logical_or(ended, cut))\n", f"{T}envs/test_told.py -k flags_of_each", "time-limit",
    ),
    Mutant(
        "flags: a text that is not empty is one", "pyqmix/envs/told.py", 'if array is None or array.size not in (1, n) or not ((array == 0)',
        "if array is None:\n        return [bool(given)]\n    if array.size not in (1, n) or not ((array == 0)",
        f"{T}envs/test_told.py -k flags_that_are_none",
    ),
    Mutant(
        "integers lose the digits that float32 cannot hold", "pyqmix/envs/told.py", "if back.tobytes() != vector.tobytes():",
        "if False:", f"{T}envs/test_told.py -k integers_are",
    ),
    Mutant(
        "seeds of environments in Python have 63 bits", "pyqmix/base/seeding.py", "return derived if wide else derived >> 32",
        "return derived", f"{T}play/test_episode_seeds.py", "seeds",
    ),
    Mutant(
        "a batch's mask is ignored", BATCH, "if (which.mask == nullptr || which.mask[k]) {", "{",
        f"{T}envs/test_vector_env.py -k 'mask_resets and native'",
    ),
    Mutant(
        "a batch's masked reset leaves worlds ended", BATCH, "                ended_[k] = false;\n", "",
        f"{T}envs/test_vector_env.py -k 'mask_resets and native'",
    ),
    Mutant(
        "workers import a script that trains without a guard", "pyqmix/play/parcel.py", "return cls(packed, guarded)",
        "return cls(packed, True)", f"{T}play/test_parcel.py -k has_a_guard",
    ),
    Mutant(
        "an environment overwrites the actions that are stored", "pyqmix/envs/worlds.py", "step(joint.copy())", "step(joint)",
        f"{T}play/test_guests.py -k overwritten",
    ),
    Mutant(
        "a result is lost where close() raises", "pyqmix/run/evaluate.py", "closing(evaluator),",
        "contextlib.closing(evaluator),", f"{T}run/test_close_raises.py -k evaluation",
    ),
    Mutant(
        "an observation may hold infinity", "pyqmix/envs/contract.py", "np.isfinite(obs).tobytes()",
        "(~np.isnan(obs)).tobytes()", f"{T}envs/test_contract.py",
    ),
    Mutant(
        "who has won is read at the first step", ROLLOUT, "        seat.won = step.won\n",
        "        seat.won = step.won if seat.steps == 1 else seat.won\n", f"{T}run/test_win_rates.py",
    ),
    Mutant(
        "wins: a native rollout tells them by the world, not the episode", NATIVE,
        "claimed.play.won[from.index] =", "claimed.play.won[k] =",
        f"{T}play/test_native_rollout.py -k who_has_won",
    ),
    Mutant(
        "wins: a native batch has won every episode", BATCH, "ended_[k] != 0 && world.won()", "ended_[k] != 0",
        f"{T}envs/test_vector_env.py -k wins",
    ),
    Mutant(
        "wins: a batch tells only those of the first world", "pyqmix/envs/vector.py",
        "won[k], told[k] = step.won, True", "won[0], told[k] = step.won, True",
        f"{T}envs/test_vector_env.py -k wins",
    ),
    Mutant(
        "wins: the interval has no width where every battle is won", "pyqmix/base/wilson.py",
        "half = z * math.sqrt(count * share * (1 - share) + z * z / 4)",
        "half = z * math.sqrt(count * share * (1 - share))", f"{T}run/test_win_rates.py -k wilson",
    ),
    Mutant(
        "wins: a resumed run forgets those of the episodes since its last line", "pyqmix/run/window.py",
        '{"won": played.won, "staleness"', '{"won": None, "staleness"',
        f"{T}run/test_win_rates.py -k resumed",
    ),
    Mutant(
        "a policy's new episode remembers the one before", "pyqmix/run/policy.py",
        "memory.hidden[indices] = initial[indices]", "pass", f"{T}run/test_policy.py -k worlds",
    ),
    Mutant(
        "a policy shows no last actions", "pyqmix/run/policy.py", "dtype=np.float32)[actions] if",
        "dtype=np.float32)[actions] * 0 if", f"{T}run/test_policy.py -k eval",
    ),
    Mutant(
        "a saved run imports a network that only its folder names", "pyqmix/config/trust.py",
        "if module is None or _trusts(trust, name):", "if module is not name:", f"{T}run/test_hostile.py -k names",
    ),
    Mutant(
        "a saved run's task of gymnasium may name a module", "pyqmix/envs/gymnasium_env.py",
        'safe_tasks=r"[\\w/.-]+"', 'safe_tasks=r"[\\w/.:-]+"', f"{T}run/test_hostile.py -k names",
    ),
    Mutant(
        "a saved run's options say where it goes on", "pyqmix/config/saved.py",
        'values["run_dir"] = str(path.parent)', "pass", f"{T}run/test_hostile.py -k goes_on",
    ),
    Mutant(
        "the current folder is always searched for modules", "pyqmix/cli/parsing.py",
        "if not trust and not any(", "if not names and not any(", f"{T}run/test_hostile.py -k current_folder",
    ),
    Mutant(
        "a checkpoint lists files outside of its folder", "pyqmix/run/manifest.py",
        "not _FILE.fullmatch(name) or not _is_entry(entry)", "not _is_entry(entry)",
        f"{T}run/test_hostile.py -k own_folder",
    ),
    Mutant(
        "a link that appears before a file is opened is followed", "pyqmix/base/untrusted.py",
        "os.O_RDONLY | os.O_NOFOLLOW |", "os.O_RDONLY |", f"{T}base/test_untrusted.py -k exchanged",
    ),
    Mutant(
        "targets stay behind the weights that a run starts from", "pyqmix/run/init_from.py",
        "cast(nn.Module, target).load_state_dict(", "dict(", f"{T}run/test_init_from.py",
    ),
    Mutant(
        "export: an exported policy chooses actions that are not available", f"{EXPORT}traced.py",
        "qs if avail is None else torch.where(avail, qs, -torch.inf)", "qs",
        f"{T}export/test_policy_file.py -k number_of_episodes",
    ),
    Mutant(
        "export: a file with other actions than the run's is written", f"{EXPORT}check.py",
        "max(self.values, self.regret)", "self.values", f"{T}export/test_policy_file.py -k something_else",
    ),
    Mutant(
        "export: PyMARL gets a mixer for scaled states", f"{EXPORT}pymarl/exporting.py",
        "weights[key] *= torch.tensor(spec.state_scale)", "pass", f"{T}export/test_pymarl.py -k exported_mixer",
    ),
    Mutant(
        "import: code in a model's file runs", f"{EXPORT}pymarl/state_dict_file.py", "weights_only=True",
        "weights_only=False", f"{T}export/test_pymarl.py -k code_in_a_file",
    ),
    Mutant(
        "import: separate networks forget their agents' ids", f"{EXPORT}pymarl/importing.py",
        "of_id.diagonal(dim1=0, dim2=2).T", "0", f"{T}export/test_pymarl.py -k imported_agent",
    ),
    Mutant(
        "import: a mixer reads last actions that PyMARL's state lacks", f"{EXPORT}pymarl/mixers.py",
        "parts.new_zeros(len(weight)", "parts.new_ones(len(weight)", f"{T}export/test_pymarl.py -k imported_mixer",
    ),
    Mutant(
        "CW-QMIX gives the greedy joint action no full weight", f"{METHODS}wqmix.py",
        "(targets > best) | (rows.actions == greedy).all(-1)", "targets > best",
        f"{T}methods/test_losses.py -k cw_qmix",
    ),
    Mutant(
        "the joint action of weighted QMIX's target maximises the central value", f"{METHODS}wqmix.py",
        "rows.terminated, choosing)", "rows.terminated)", f"{T}methods/test_losses.py -k ow_qmix",
    ),
    Mutant(
        "QPLEX's weights of advantages may be negative", f"{METHODS}qplex.py",
        "self.keys(states).abs()", "self.keys(states)", f"{T}methods/test_igm.py",
    ),
    Mutant(
        "gradients flow through QPLEX's advantages", f"{METHODS}qplex.py",
        "(scale * (agent_qs - greatest_qs)).detach()", "scale * (agent_qs - greatest_qs)",
        f"{T}methods/test_losses.py -k qplex",
    ),
    Mutant(
        "QTRAN's agents also fall to the joint value of actions that are not greedy", f"{METHODS}qtran.py",
        ".clamp(max=0.0)", "", f"{T}methods/test_losses.py -k qtran",
    ),
    Mutant(
        "the greedy joint action at o is taken from the actions at o'", ROWS,
        "self.batch_avail[self.episodes, self.times]", "self.batch_avail[self.episodes, self.times + 1]",
        f"{T}methods/test_losses.py -k qplex",
    ),
    Mutant(
        "a module without a constructor gets keywords", "pyqmix/base/calling.py", "is nn.Module.__init__:", "is None:",
        f"{T}base/test_calling.py",
    ),
    Mutant(
        "an agent that its weights do not determine is not noticed", "pyqmix/nn/trial.py",
        "if difference <= 1e-3 * float(1 + values.abs().max()):", "if True:",
        f"{T}run/test_network_notes.py -k determine",
    ),
    Mutant(
        "classes of one name replace each other", "pyqmix/base/registry.py",
        "if self._brought.get(x, given) is given", "if True", f"{T}base/test_registry.py -k of_one_name",
    ),
    Mutant(
        "the run's options override what a partial has set", "pyqmix/base/calling.py",
        "if isinstance(factory, partial) else set()", "if False else set()", f"{T}base/test_calling.py -k partial",
    ),
    Mutant(
        "whole step: networks have the options' sizes", "pyqmix/learn/native_step.py",
        "getattr(mixer, name, getattr(options, name))", "getattr(options, name)",
        f"{T}nn/test_user_networks.py -k other_sizes",
    ),
    Mutant(
        "whole step: a parametrised layer is read as a plain one", "pyqmix/learn/native_step.py",
        "return spec if shapes ==", "return spec if True or shapes ==", f"{T}nn/test_user_networks.py -k parametrised",
    ),
    Mutant(
        "targets of another shape broadcast with the values", "pyqmix/learn/joint.py",
        'values.shape != shape:', 'False:', f"{T}nn/test_user_networks.py -k joint_mixer",
    ),
    Mutant(
        "workers get the mixer, which may be one that cannot be sent", "pyqmix/play/parcel.py",
        'config.replace(mixer="vdn", mixer_args=None)', "config", f"{T}play/test_workers.py -k need_no_mixer",
    ),
    Mutant(
        "an episode that its seed does not reproduce is only a warning", "pyqmix/envs/check.py", "if not _settles(trial, record.seed):",
        "if False:", f"{T}envs/test_check_env.py -k planted",
    ),
    Mutant(
        "reset may overwrite what was shown before", "pyqmix/envs/trial.py", "self._require_unchanged(self._shown, 0)",
        "pass", f"{T}envs/test_check_env.py -k planted",
    ),
    Mutant(
        "cluster: a player gets two orders while another has none", "pyqmix/play/cluster/pool.py",
        "if len(seat.open) == fewest:", "if len(seat.open) < AHEAD:", f"{T}play/test_cluster_pool.py -k fewest",
    ),
    Mutant(
        "cluster: looking for replies is no transport", "pyqmix/play/cluster/pool.py",
        "self.transport_seconds += time.thread_time() - worked", "pass", f"{T}play/test_cluster_pool.py -k transport",
    ),
    Mutant(
        "adapters: an agent that has died still earns", "pyqmix/envs/pettingzoo_env.py",
        "_reward(agent, rewards) if agent in before else 0.0", "_reward(agent, rewards)",
        f"{T}envs/test_pettingzoo_env.py -k dies",
    ),
    Mutant(
        "adapters: actions keep pyqmix's numbers", "pyqmix/envs/team.py", "(actions + self._first_actions).tolist()",
        "actions.tolist()", f"{T}envs/test_gymnasium_teams.py -k shifted",
    ),
    Mutant(
        "adapters: the step limit cannot mean termination", "pyqmix/envs/options.py",
        "if truncated and self.terminate_at_limit else", "if False else",
        f"{T}envs/test_gymnasium_teams.py -k step_limit", "time-limit",
    ),
    Mutant(
        "adapters: a limit that truncates bootstraps from agents that are gone", "pyqmix/envs/pettingzoo_env.py",
        "terminated | truncated if self.limit_truncates else truncated", "truncated",
        f"{T}envs/test_pettingzoo_env.py -k truncates", "time-limit",
    ),
    Mutant(
        "adapters: a limit that truncates needs no mask", "pyqmix/envs/gymnasium_env.py", "and not self.limit_truncates", "",
        f"{T}envs/test_gymnasium_teams.py -k needs_the_mask", "time-limit",
    ),
    Mutant(
        "an episode may go on after its limit", "pyqmix/envs/contract.py", "if number + 1 >= limit and", "if number > limit and",
        f"{T}envs/test_contract.py -k limit",
    ),
    Mutant(
        "workers leave their environments open", "pyqmix/play/worker.py", "with closing(worlds, _tell):", "if True:",
        f"{T}play/test_workers.py -k close_their",
    ),
    Mutant(
        "episodes may mix in one object", "pyqmix/envs/separate.py", "if len({id(_of_user(env)) for env in envs}) < len(envs):",
        "if False:", f"{T}play/test_rollout.py -k one_object",
    ),
    Mutant(
        "adapters: SMAC's time limit terminates", "pyqmix/envs/smac.py",
        "cut = truncated or at_limit", "cut = truncated", f"{T}envs/test_smac.py -k time_limit",
        "time-limit",
    ),
    Mutant(
        "user networks: a frozen parameter is learned", "pyqmix/nn/flat.py", "(torch.zeros_like(p) if grad is None else grad)",
        "(torch.ones_like(p) if grad is None else grad)", f"{T}nn/test_user_networks.py -k frozen",
    ),
    Mutant(
        "user networks: targets keep old statistics", "pyqmix/learn/networks.py", "of_target.copy_(buffer)", "pass",
        f"{T}nn/test_user_networks.py -k buffers",
    ),
    Mutant(
        "user networks: dropout has no seed", "pyqmix/nn/drawing.py",
        "torch.default_generator.manual_seed(seed)", "pass",
        f"{T}nn/test_user_networks.py -k dropout",
    ),
    Mutant(
        "user networks: they learn in evaluation mode", "pyqmix/learn/networks.py", "network.train()", "pass",
        f"{T}nn/test_user_networks.py -k evaluation_mode",
    ),
    Mutant(
        "user networks: actors keep old statistics", "pyqmix/nn/actor_weights.py", "buffer.copy_(torch.from_numpy(value))",
        "pass", f"{T}nn/test_user_networks.py -k buffers_reach",
    ),
    Mutant(
        "user networks: a mixer derived from QMixer learns as QMixer", "pyqmix/nn/qmixer.py",
        "return type(self).forward is not QMixer.forward or is_watched(self)", "return is_watched(self)",
        f"{T}nn/test_user_networks.py -k derived",
    ),
    Mutant(
        "user networks: no mixer is found not to be monotone", "pyqmix/nn/trial.py", "if negative == 0:", "if True:",
        f"{T}nn/test_user_networks.py -k monotone",
    ),
    Mutant(
        "user networks: acting and unrolling may disagree", "pyqmix/nn/trial.py", "if difference > 1e-3", "if difference > 1e9",
        f"{T}nn/test_user_networks.py -k agent_that_does_not_fit",
    ),
    Mutant(
        "commands do not find modules of the current folder", "pyqmix/cli/parsing.py", "sys.path.append(here)", "pass",
        f"{T}project/test_examples.py::test_the_commands_of_an_example_run[mixer]",
    ),
    Mutant(
        "names of installed packages are unknown", "pyqmix/base/registry.py", '":" not in n), *self._installed()]',
        '":" not in n)]', f"{T}project/test_extend.py::test_the_package_is_found_by_its_entry_points",
    ),
    Mutant(
        "agents that nobody announced take part", "pyqmix/envs/pettingzoo_env.py", "if agent not in earlier]", "if not agent]",
        f"{T}envs/test_pettingzoo_env.py -k named",
    ),
    Mutant(
        "environments in Python show no last actions", "pyqmix/envs/family.py",
        "return LastActionEnv(env) if adds else env", "return env", f"{T}envs/test_options.py -k once",
    ),
    Mutant(
        "pictures: SMAX's enemies count their targets from the first ally", "pyqmix/envs/smax/drawing.py",
        "(allies + attack, allies - 1 - attack)[team]", "(allies + attack, attack)[team]",
        f"{T}envs/test_smax_drawing.py -k leads",
    ),
    Mutant(
        "pictures: SMAX's map stands on its head", "pyqmix/envs/smax/drawing.py", "(_MAP - self.y) * _CELL",
        "self.y * _CELL", f"{T}envs/test_smax_drawing.py -k up_being_up",
    ),
    Mutant(
        "a share does not follow the length of the run", "pyqmix/config/config.py", "in_steps(value, self.total_steps)",
        "in_steps(value, 2_000_000)", f"{T}config/test_config.py -k share",
    ),
    Mutant(
        "a share of the run is what floating point makes of it", "pyqmix/base/steps.py", "return Fraction(found[1])",
        "return float(found[1])", f"{T}base/test_steps.py -k of_a_share",
    ),
    Mutant(
        "a share may be more than the run", "pyqmix/base/steps.py", "0 < _percent(value) <= 100", "0 < _percent(value)",
        f"{T}base/test_steps.py -k neither",
    ),
    Mutant(
        "an interval does not follow the length of the run", "pyqmix/run/schedule.py", "config.in_steps(value) for",
        "Config().in_steps(value) for", f"{T}run/test_schedule.py",
    ),
    Mutant(
        "an extended run says nothing of its exploration", "pyqmix/run/resume.py",
        '("exploration", Config.epsilon, "--eps-steps"),', "", f"{T}run/test_resume.py -k extended_run_says",
    ),
    Mutant(
        "a rate of updates does not count as given where it is the default", "pyqmix/config/together.py",
        "config.updates_per_episode is not None:", "config.updates_per_episode not in (None, 1.0):",
        f"{T}config/test_config.py -k exclude_each_other",
    ),
    Mutant(
        "a sweep starts over the runs that were stopped", "pyqmix/sweep/command.py",
        'if (self.folder / "config.json").exists():', "if False:",
        f"{T}sweep/test_runner.py -k stopped_and_dead",
    ),
    Mutant(
        "a sweep resumes a run of other options", "pyqmix/sweep/command.py",
        "if not ignored and saved.get(name, value) != value:", "if False:",
        f"{T}sweep/test_runner.py -k other_options",
    ),
    Mutant(
        "a sweep starts a run that goes on", "pyqmix/sweep/runner.py",
        "if status.state == RUNNING:", "if False:", f"{T}sweep/test_runner.py -k goes_on_is_waited",
    ),
    Mutant(
        "a sweep's signals reach its runs again and again", "pyqmix/sweep/runner.py",
        "active.signals += 1", "active.signals += 0", f"{T}sweep/test_runner.py -k signals_reach",
    ),
    Mutant(
        "a name in a sweep file is imported without trust", "pyqmix/sweep/planned.py",
        "if trust is True:", "if True:", f"{T}sweep/test_plan.py -k may_not_import",
    ),
    Mutant(
        "a sweep's options go before its variants'", "pyqmix/sweep/planned.py",
        "own, preset = {**plan.options, **variant.options,", "own, preset = {**variant.options, **plan.options,",
        f"{T}sweep/test_plan.py -k variants_set",
    ),
    Mutant(
        "a name in a sweep's variant is imported without trust", "pyqmix/sweep/planned.py",
        "    options = {**plan.options, **variant.options, **setting}", "    options = {**plan.options, **setting}",
        f"{T}sweep/test_plan.py -k may_not_import",
    ),
    Mutant(
        "variants that meet on a task are one group", "pyqmix/figures/grouping.py",
        'run.variant if variants else ""', '""', f"{T}figures/test_grouping.py -k variants_that_meet",
    ),
    Mutant(
        "a sweep of a version without variants is another", "pyqmix/sweep/folder.py",
        "old.get(key, {})", "old.get(key)", f"{T}sweep/test_runner.py -k version_without",
    ),
    Mutant(
        "a variant goes before the command line", "pyqmix/cli/sweep.py",
        "_without(each, names) if", "each if", f"{T}sweep/test_sweep_command.py -k goes_before",
    ),
    Mutant(
        "a stopped run that cannot go on counts as stopped again", "pyqmix/sweep/runner.py",
        "(code == 0 and status.state == STOPPED)", "status.state == STOPPED",
        f"{T}sweep/test_runner.py -k cannot_go_on",
    ),
    Mutant(
        "a run on Ray does not hear SIGINT", "pyqmix/sweep/tied.py",
        "        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # a worker of Ray blocks SIGINT\n", "",
        f"{T}sweep/test_ray.py -k a_worker_blocks",
    ),
    Mutant(
        "a run on Ray outlives its worker", "pyqmix/sweep/tied.py",
        "        _tie(own)\n", "", f"{T}sweep/test_ray.py -k workers_death",
    ),
    Mutant(
        "a run on Ray takes the GPUs of others", "pyqmix/sweep/ray_starter.py",
        "hidden = {} if command.gpus else", "hidden = {} if True else", f"{T}sweep/test_ray.py -k hides_gpus",
    ),
    Mutant(
        "a run on Ray goes on for ever", "pyqmix/sweep/ray_starter.py",
        "if self._lost > RETRIES:", "if False:", f"{T}sweep/test_ray.py -k a_task_ends",
    ),
    Mutant(
        "a stopped run on Ray goes on where its node dies", "pyqmix/sweep/ray_starter.py",
        "if self._is_stopped:", "if False:", f"{T}sweep/test_ray.py -k stopped_run_whose_node",
    ),
    Mutant(
        "Ray opens its ports to the network", "pyqmix/base/ray_cluster.py",
        "False  # otherwise Ray", "True  # otherwise Ray", f"{T}base/test_ray_cluster.py -k local_cluster",
    ),
    Mutant(
        "Ray keeps its handler of SIGTERM", "pyqmix/base/ray_cluster.py",
        "signal.getsignal(number) is not handler:", "False:", f"{T}base/test_ray_cluster.py -k cannot_be_joined",
    ),
    Mutant(
        "a program's own cluster of Ray is ended", "pyqmix/base/ray_cluster.py",
        "_joined += _joined > 0", "_joined += 1", f"{T}base/test_ray_cluster.py -k local_cluster",
    ),
    Mutant(
        "looking at a lock reads it as free", "pyqmix/run/lock.py",
        'struct.unpack_from("h", found)[0] != fcntl.F_UNLCK', 'struct.unpack_from("h", found)[0] == fcntl.F_WRLCK + 9',
        f"{T}sweep/test_status.py -k looked_at",
    ),
    Mutant(
        "the limits of outer control groups are not read", "pyqmix/base/control_groups.py",
        "for count in range(len(below), -1, -1):", "for count in range(len(below), len(below) - 1, -1):",
        f"{T}base/test_free_memory.py -k every_group",
    ),
    Mutant(
        "a machine without limits has no free memory", "pyqmix/base/free_memory.py",
        "min([_of_the_machine(), *groups, *_of_the_address_space()])", "min(_of_the_machine(), *groups, *_of_the_address_space())",
        f"{T}base/test_free_memory.py -k without_any",
    ),
    Mutant(
        "commands beside the other project of this name go on", "pyqmix/cli/start.py",
        "    _loading.require_own_folder()", "    pass", f"{T}project/test_loading.py -k installed_last",
    ),
    Mutant(
        "importing beside the other project of this name goes on", "pyqmix/__init__.py",
        "_loading.require_own_folder()\n", "", f"{T}project/test_loading.py -k shared_with",
    ),
    Mutant(
        "page cache of a control group counts as used", "pyqmix/base/control_groups.py",
        "used - _droppable(folder", "used - 0 * _droppable(folder", f"{T}base/test_free_memory.py -k page_cache",
    ),
    Mutant(
        "batches take the memory of the step limit", "pyqmix/replay/batch_memory.py",
        "room = min(max(steps, 2 * self._steps), self._spec.episode_limit)", "room = self._spec.episode_limit",
        f"{T}replay/test_batch_memory.py -k doubling",
    ),
    Mutant(
        "torch's want of memory is not named", "pyqmix/base/exhaustion.py", "can't allocate memory|cannot", "cannot",
        f"{T}base/test_exhaustion.py -k memory_is_named",
    ),
    Mutant(
        "a run that never reaches a batch is not told of", "pyqmix/run/idle_notes.py",
        "if counts.episodes < config.batch_size:", "if counts.episodes < 0:",
        f"{T}run/test_idle_notes.py -k do_nothing",
    ),
    Mutant(
        "a quarter of the runs is not what the interquartile mean cuts", "pyqmix/figures/statistics.py",
        "cut = count // 4", "cut = (count + 3) // 5", f"{T}figures/test_statistics.py",
    ),
    Mutant(
        "a tie counts as an improvement", "pyqmix/figures/statistics.py", "0.5 * (difference == 0)",
        "1.0 * (difference == 0)", f"{T}figures/test_statistics.py",
    ),
    Mutant(
        "a group's curve goes on behind the end of one of its runs", "pyqmix/figures/curves.py",
        "last = min(each.steps[-1] for each in series)", "last = max(each.steps[-1] for each in series)",
        f"{T}figures/test_comparison.py -k interpolated",
    ),
    Mutant(
        "runs are compared over wall time after different numbers of steps", "pyqmix/figures/curves.py",
        "cut = [each.until(last) for each in series]", "cut = [*series]", f"{T}figures/test_comparison.py -k wall_time",
    ),
    Mutant(
        "each seed is a group", "pyqmix/figures/grouping.py", '*("env", "task", "seed", "run_dir",',
        '*("env", "task", "run_dir",', f"{T}figures/test_grouping.py",
    ),
    Mutant(
        "a run that was left out does not change the exit code", "pyqmix/cli/plot.py", "if complaints:",
        "if not complaints:", f"{T}cli/test_plot.py -k broken",
    ),
    Mutant(
        "configuration: a file's names import modules without trust", "pyqmix/config/files.py",
        "given[option], trust or frozenset(names.values()))", "given[option], True)",
        f"{T}config/test_files.py -k imports_nothing",
    ),
    Mutant(
        "configuration: the preset overrides the file", "pyqmix/config/presets.py",
        "if name not in dropped}, **upper}", "if name not in dropped}, **upper, **lower}",
        f"{T}config/test_files.py -k over_file_over",
    ),
    Mutant(
        "configuration: one of two values is ignored", "pyqmix/base/yaml_files.py",
        "key.value in seen:", "key.value in ():", f"{T}base/test_yaml_files.py -k refused",
    ),
    Mutant(
        "help: a first look shows everything", "pyqmix/cli/train_options.py",
        "if each.essential or not essential]", "if True]", f"{T}cli/test_help.py -k first_look",
    ),
    Mutant(
        "signals: an import may swallow one that ends pyqmix-eval", "pyqmix/cli/start.py",
        "if _is_importing():", "if False:", f"{T}run/test_interrupt.py -k during_a_commands_imports",
    ),
    Mutant(
        "a logger gets lines that it has had", "pyqmix/run/feed.py", "if step > self.step:", "if step >= 0:",
        f"{T}run/test_loggers.py -k 'killed or goes_on'",
    ),
    Mutant(
        "a killed run's loggers count as never fed", "pyqmix/run/external.py",
        "max(entry.step, _last_step(run_dir)), False", "entry.step, False", f"{T}run/test_loggers.py -k killed",
    ),
    Mutant(
        "a dropped logger's place is not stored", "pyqmix/run/external.py",
        "entry.step, entry.open = feed.step, False", "entry.open = False",
        f"{T}run/test_loggers.py -k 'goes_on or failing'",
    ),
    Mutant(
        "a cell of the report is HTML", "pyqmix/run/report/page.py", "<td>{escape(cell)}</td>", "<td>{cell}</td>",
        f"{T}run/test_report.py -k 'escaped or sections'",
    ),
    Mutant(
        "the report's command leaves out flags", "pyqmix/base/command_line.py",
        'arguments.append(option if value else dashed(f"no_{name}"))', "pass",
        f"{T}run/test_report.py -k same_options",
    ),
    Mutant(
        "a lock names a group of processes", "pyqmix/run/lock.py", "if 0 < process < 1 << 31", "if process < 1 << 31",
        f"{T}sweep/test_status.py -k one_process",
    ),
    Mutant(
        "control characters reach a terminal", "pyqmix/base/printable.py", "x if x.isprintable() or", "x if True or",
        f"{T}base/test_printable.py",
    ),
    Mutant(
        "a folder that disappears ends a search", "pyqmix/figures/folders.py",
        "if isinstance(error, FileNotFoundError) and", "if False and", f"{T}sweep/test_status.py -k disappears",
    ),
    Mutant(
        "a run that a user resumes counts as failed", "pyqmix/sweep/runner.py",
        "if not self._is_taken_over(active):", "if True:", f"{T}sweep/test_runner.py -k same_moment",
    ),
    Mutant(
        "a sweep's log is written through a link", "pyqmix/base/files.py",
        "flags | os.O_NOFOLLOW | os.O_NONBLOCK", "flags | os.O_NONBLOCK", f"{T}sweep/test_runner.py -k leads_elsewhere",
    ),
    Mutant(
        "host: networks draw from the generator of the process", "pyqmix/nn/drawing.py",
        "if all(is_own_factory(factory) for factory in factories):", "if False:",
        f"{T}run/test_host.py -k never_touch",
    ),
    Mutant(
        "threads: torch has those of the kernels", "pyqmix/run/threads.py", "if has_torch_products(learner):", "if True:",
        f"{T}run/test_threads.py -k number_is_the_kernels",
    ),
    Mutant(
        "threads: a run that chooses never goes back to one", "pyqmix/run/thread_choice.py",
        "if in_a_row in (slow, fast):", "if False:", f"{T}run/test_thread_choice.py -k becomes_busy",
    ),
    Mutant(
        "threads: blocks of two numbers are compared by their seconds", "pyqmix/run/thread_choice.py",
        "self.learning / self.updates * work.updates + self.playing / self.steps * work.steps",
        "self.learning + self.playing", f"{T}run/test_thread_choice.py -k taken_and_told_of",
    ),
    Mutant(
        "threads: the quota of a control group counts as cores", "pyqmix/base/control_groups.py",
        "return quota / period if", "return float(quota) if", f"{T}base/test_cores.py -k every_group",
    ),
    Mutant(
        "layers: features get no gradient", "csrc/ops/mlp/mlp_cpu.cpp", "if (!to.grad_features.data) return;",
        "return;", f"{T}ops/test_mlp.py -k values_and_gradients",
    ),
    Mutant(
        "host: new threads of the program get a run's number of threads", "pyqmix/base/torch_threads.py",
        "_in_a_new_thread(lambda: torch.set_num_threads(of_new_threads))", "pass",
        f"{T}run/test_host.py -k number_of_threads",
    ),
    Mutant(
        "host: a program's autocast changes a run's numbers", "pyqmix/base/torch_modes.py",
        "if torch.is_autocast_enabled(device):", "if False:", f"{T}run/test_host.py -k every_mode",
    ),
    Mutant(
        "host: a handler outside of Python is replaced", "pyqmix/base/signals.py",
        "return present in (signal.SIG_DFL, signal.SIG_IGN) and", "return False and",
        f"{T}run/test_host.py -k handler_in_c",
    ),
    Mutant(
        "host: a daemon thread works on while the program ends", "pyqmix/base/program_end.py",
        "        raise SystemExit ", "        pass ", f"{T}run/test_host.py -k calls_on_other_threads",
    ),
    # Several learners of one run.
    Mutant(
        "learners: gradients are not summed", "pyqmix/learn/gradient_sum.py", "self._ranks.sum(self._all)", "pass",
        f"{T}learn/test_gradient_sum.py -k weights_and_numbers",
    ),
    Mutant(
        "learners: transitions count as if all had as many", "pyqmix/learn/gradient_sum.py",
        "steps if self._by_steps else torch.ones_like(steps)", "torch.ones_like(steps)",
        f"{T}learn/test_gradient_sum.py -k weights_and_numbers",
    ),
    Mutant(
        "learners: all play the first one's episodes", RUN, "self.progress.episodes + mine.start",
        "self.progress.episodes", f"{T}run/test_several.py -k episodes_are_those",
    ),
    Mutant(
        "learners: a signal stops only its own", "pyqmix/run/several.py", "int(rows[:, 1].max())",
        "self._interrupt.exit_code", f"{T}run/test_several.py -k signal_to_one",
    ),
    Mutant(
        "learners: a run goes on from a checkpoint that one has", "pyqmix/run/several.py",
        "set(steps[0]).intersection(*steps)", "set(steps[0])", f"{T}run/test_several.py -k 'resumed and overlap'",
    ),
)  # fmt: skip

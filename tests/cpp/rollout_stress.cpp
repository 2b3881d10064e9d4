// Worlds of random rules, random matrix games and battles, played by native rollouts into a ring
// that another thread samples, for the sanitizers: run_rollout_stress.sh builds it with each. Exits
// 1 if the number of threads changes an episode, or a win is not told as the game tells it.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include "envs/games/matrix.h"
#include "envs/lbf/game.h"
#include "envs/smax/game.h"
#include "play/world_worker.h"

using namespace pyqmix;

namespace {

LbfRules random_rules(std::mt19937_64& random) {
    const auto between = [&](int low, int high) {
        return static_cast<int>(low + random() % static_cast<unsigned>(high - low + 1));
    };
    const auto levels = [&](int count, int low, int high) {
        std::vector<int> out;
        for (int i = 0; i < count; ++i) out.push_back(between(low, high));
        return out;
    };
    LbfRules rules;
    rules.rows = between(3, 12);
    rules.cols = between(3, 12);
    const int players = between(1, 5);
    rules.max_num_food = between(1, 4);
    rules.grid_observation = between(0, 2) == 0;
    rules.sight = between(rules.grid_observation ? 1 : 0, 14);
    const int highest = between(0, 5) == 0 ? LbfRules::kMaxLevel : 3;
    rules.min_player_level = levels(players, 0, 1);
    rules.max_player_level = levels(players, 1, highest);
    rules.min_food_level = levels(rules.max_num_food, 0, 1);
    rules.max_food_level = levels(rules.max_num_food, 1, highest);
    rules.force_coop = between(0, 1) == 0;
    rules.normalize_reward = between(0, 1) == 0;
    rules.observe_agent_levels = between(0, 1) == 0;
    rules.penalty = 0.1 * between(0, 3);
    rules.max_episode_steps = between(1, 60);
    rules.validate();
    return rules;
}

struct Result {
    std::vector<double> returns;
    std::vector<std::int64_t> lengths;
    std::vector<std::uint8_t> won;
};

// A matrix game that is won by a payoff of 50 or more.
struct WinnableMatrix : MatrixGame {
    using MatrixGame::MatrixGame;
    bool won() const { return rewards()[0] >= 50.0; }
};
static_assert(ReportsWins<WinnableMatrix> && !ReportsWins<MatrixGame> && !ReportsWins<LbfGame>);

Result play(Rollout& rollout, std::int64_t count, int threads, std::int64_t lanes) {
    Result result;
    result.returns.resize(static_cast<std::size_t>(count));
    result.lengths.resize(static_cast<std::size_t>(count));
    result.won.resize(static_cast<std::size_t>(count));
    rollout.play({0, count, 0.5, threads, lanes, result.returns.data(), result.lengths.data(),
                  reinterpret_cast<bool*>(result.won.data())});
    return result;
}

// Copies batches until told to stop.
void sample(EpisodeRing& ring, const std::atomic<bool>& stop) {
    const EpisodeSpec& spec = ring.layout().spec;
    const int sampler = ring.enter(Role::sampler);
    UniformDraw draw(1);
    const auto points = static_cast<std::size_t>(2 * (spec.episode_limit + 1));
    const auto n = static_cast<std::size_t>(spec.n_agents);
    std::vector<float> obs(points * n * static_cast<std::size_t>(spec.obs_dim));
    std::vector<float> state(points * static_cast<std::size_t>(spec.state_dim) + 1);
    std::vector<float> rewards(points);
    std::vector<std::int64_t> actions(points * n), slots;
    std::vector<std::uint8_t> avail(points * n * static_cast<std::size_t>(spec.n_actions));
    std::vector<std::uint8_t> terminated(points);
    while (!stop.load()) {
        slots.clear();
        ring.pin_uniform(sampler, 2, draw, slots);
        BatchOut out;
        for (const std::int64_t slot : slots) out.steps = std::max(out.steps, ring.length(slot));
        out.obs = obs.data();
        out.avail = reinterpret_cast<bool*>(avail.data());
        out.state = state.data();
        out.actions = actions.data();
        out.rewards = rewards.data();
        out.terminated = reinterpret_cast<bool*>(terminated.data());
        for (std::size_t b = 0; b < slots.size(); ++b)
            ring.decode_episode(slots[b], static_cast<std::int64_t>(b), out);
        ring.unpin(sampler, slots);
    }
}

// Plays a world's episodes by several threads and by one; false if that changes one, or if other
// episodes are told as won than those that return `winning` or more.
template <NativeGame Game>
bool check(const World<Game>& world, std::mt19937_64& random, double winning) {
    const EpisodeSpec spec = world.spec();
    NetworkSpec sizes;
    sizes.n_agents = spec.n_agents;
    sizes.obs_dim = spec.obs_dim;
    sizes.n_actions = spec.n_actions;
    sizes.hidden_dims = {9, 9};
    sizes.share_parameters = random() % 2 == 0;
    if (random() % 2 == 0) sizes.obs_scale = world.obs_scale();
    sizes.agent = random() % 2 == 0 ? AgentKind::mlp : AgentKind::gru;
    const std::shared_ptr<Policy> policy = make_policy(sizes);
    std::vector<float> weights(static_cast<std::size_t>(policy->weights()));
    for (float& w : weights) w = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
    policy->load(weights);
    EpisodeRing ring(spec, 16);
    const auto rollout = make_rollout(world, {policy, random(), Stream::environment, &ring, 0});
    std::atomic<bool> stop{false};
    std::thread sampler(sample, std::ref(ring), std::cref(stop));
    const Result many = play(*rollout, 40, 4, 3);
    const Result again = play(*rollout, 40, 3, 1);
    stop.store(true);
    sampler.join();
    const Result alone = play(*rollout, 40, 1, 8);
    for (std::size_t k = 0; k < alone.won.size(); ++k)
        if (alone.won[k] != (ReportsWins<Game> && alone.returns[k] >= winning)) return false;
    return many.returns == alone.returns && many.lengths == alone.lengths &&
           many.won == alone.won && again.returns == alone.returns;
}

WorldOptions random_options(std::mt19937_64& random) {
    return {random() % 2 == 0, random() % 2 == 0, random() % 2 == 0, TeamReward::sum};
}

bool check_foraging(std::mt19937_64& random) {
    const LbfRules rules = random_rules(random);
    LbfOptions options{.action_mask = random() % 2 == 0};
    if (!rules.grid_observation) {
        options.positions = static_cast<Positions>(random() % 3);
        options.nearest_first = random() % 2 == 0;
    }
    return check(World<LbfGame>(LbfGame(rules, options), random_options(random)), random, 0.0);
}

// Up to 64 actions of one agent and fewer of another: masks of several bytes.
bool check_matrix(std::mt19937_64& random) {
    const std::vector<std::int64_t> sizes{static_cast<std::int64_t>(1 + random() % 64),
                                          static_cast<std::int64_t>(1 + random() % 64)};
    std::vector<double> payoffs(static_cast<std::size_t>(sizes[0] * sizes[1]));
    for (double& payoff : payoffs) payoff = static_cast<double>(random() % 100);
    const WinnableMatrix game(sizes, payoffs);
    return check(World<WinnableMatrix>(game, random_options(random)), random, 50.0);
}

// A victory returns 2, a draw 1.
bool check_battle(std::mt19937_64& random) {
    static constexpr const char* kMaps[] = {"3m", "2s3z", "5m_vs_6m", "smacv2_5_units"};
    const int limit = static_cast<int>(1 + random() % 30);
    const SmaxGame game(smax_scenario(kMaps[random() % 4]), limit);
    return check(World<SmaxGame>(game, random_options(random)), random, 1.5);
}

}  // namespace

int main(int count, char** arguments) {
    const int worlds = count > 1 ? std::atoi(arguments[1]) : 200;
    std::mt19937_64 random(0);
    for (int k = 0; k < worlds; ++k)
        if (!check_foraging(random) || !check_matrix(random) || !check_battle(random)) {
            std::fprintf(stderr,
                         "world %d: the number of threads changed an episode, or a win is wrong\n",
                         k);
            return 1;
        }
    std::printf("%d worlds of random rules, matrix games and battles: clean\n", worlds);
}

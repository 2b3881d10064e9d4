// libFuzzer on task names and on option values: each is refused with a sentence, or playable.
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "envs/lbf/game.h"
#include "envs/world.h"

using namespace pyqmix;

namespace {

void play(const LbfRules& rules) {
    // Large boards are valid, but not what this looks for.
    if (rules.rows * rules.cols > 400 || rules.sight > 30 || rules.players() > 40) return;
    World<LbfGame> world(LbfGame(rules, {}), {});
    const EpisodeSpec& spec = world.spec();
    std::vector<std::byte> obs(
        static_cast<std::size_t>(spec.n_agents * spec.obs_dim * size_of(spec.obs_storage)));
    std::vector<std::uint8_t> actions(static_cast<std::size_t>(rules.players()));
    try {
        world.start(7);
    } catch (const std::runtime_error&) {
        return;  // no free cell for a player
    }
    for (unsigned step = 0; step < 4; ++step) {
        for (std::size_t i = 0; i < actions.size(); ++i)
            actions[i] = static_cast<std::uint8_t>((step * 5 + i) % 6);
        world.step(actions.data());
        world.observe_stored(obs.data());
    }
}

// Takes numbers from the input, and zeros after its end.
class Input {
   public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
    int number() {
        std::int32_t value = 0;
        const std::size_t take = left_ < sizeof value ? left_ : sizeof value;
        if (take > 0) std::memcpy(&value, data_, take);
        data_ += take;
        left_ -= take;
        return value;
    }
    // Mostly small, now and then anything.
    int small() {
        const int value = number();
        return value % 7 == 6 ? value : value % 32;
    }
    std::vector<int> levels(int count) {
        std::vector<int> out;
        for (int i = 0; i < count % 64; ++i) out.push_back(small());
        return out;
    }

   private:
    const std::uint8_t* data_;
    std::size_t left_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    try {
        if (data[0] % 2 == 0) {
            play(parse_lbf_task({reinterpret_cast<const char*>(data + 1), size - 1}));
            return 0;
        }
        Input in(data + 1, size - 1);
        LbfRules rules;
        rules.rows = in.small();
        rules.cols = in.small();
        rules.max_num_food = in.small();
        rules.sight = in.small();
        const int players = in.small();
        rules.min_player_level = in.levels(players);
        rules.max_player_level = in.levels(in.number() % 4 == 3 ? in.small() : players);
        rules.min_food_level = in.levels(rules.max_num_food);
        if (in.number() % 2 != 0) rules.max_food_level = in.levels(rules.max_num_food);
        const int flags = in.number();
        rules.force_coop = flags & 1;
        rules.normalize_reward = flags & 2;
        rules.grid_observation = flags & 4;
        rules.observe_agent_levels = flags & 8;
        rules.penalty = in.small() * 0.1;
        rules.max_episode_steps = in.small();
        rules.validate();
        play(rules);
    } catch (const std::invalid_argument&) {
    }
    return 0;
}

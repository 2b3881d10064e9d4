// The state of a random engine as numbers, to be kept and taken up again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace pyqmix {

// The words of the state, and the position in them.
inline constexpr std::size_t kRandomWords = std::mt19937_64::state_size + 1;

inline std::vector<std::uint64_t> state_of(const std::mt19937_64& random) {
    std::ostringstream text;
    text << random;
    std::istringstream numbers(text.str());
    std::vector<std::uint64_t> state(kRandomWords);
    for (std::uint64_t& word : state) numbers >> word;
    return state;
}

// Throws std::invalid_argument for numbers that are no state of the engine.
inline std::mt19937_64 random_of(std::span<const std::uint64_t> state) {
    constexpr std::size_t words = std::mt19937_64::state_size;
    if (state.size() != kRandomWords)
        throw std::invalid_argument("random: expected " + std::to_string(kRandomWords) +
                                    " words, got " + std::to_string(state.size()));
    if (state[words] > words)
        throw std::invalid_argument("random: expected a position of at most " +
                                    std::to_string(words) + ", got " +
                                    std::to_string(state[words]));
    // An engine of zeros gives nothing but zeros. The lower bits of the first word do not count.
    const bool alive = state[0] >> std::mt19937_64::mask_bits ||
                       std::any_of(state.begin() + 1, state.begin() + words,
                                   [](std::uint64_t word) { return word != 0; });
    if (!alive) throw std::invalid_argument("random: expected a state, got zeros");
    std::ostringstream text;
    for (const std::uint64_t word : state) text << word << ' ';
    std::istringstream numbers(text.str());
    std::mt19937_64 random;
    numbers >> random;
    if (!numbers) throw std::invalid_argument("random: its words are no state of the engine");
    return random;
}

}  // namespace pyqmix

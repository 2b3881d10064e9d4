#include "replay/ring_transfer.h"

#include <stdexcept>
#include <string>

namespace pyqmix {

std::int64_t transfer_episodes(EpisodeRing& from, int sampler, std::uint64_t first,
                               std::int64_t count, EpisodeRing& to, int writer) {
    if (from.layout().spec != to.layout().spec)
        throw std::invalid_argument("the two rings hold different kinds of episodes");
    const auto slots = static_cast<std::uint64_t>(from.control().capacity());
    for (std::int64_t k = 0; k < count; ++k) {
        const std::uint64_t ticket = first + static_cast<std::uint64_t>(k);
        const auto source = static_cast<std::int64_t>(ticket % slots);
        if (!from.control().pin(source, sampler))
            throw std::runtime_error("ticket " + std::to_string(ticket) +
                                     ": its slot holds no published episode");
        const std::int64_t target = to.claim(writer);
        if (target != SlotControl::kBusy) from.copy_image(source, to.layout(), to.at(target, 0));
        from.control().unpin(source, sampler);
        if (target == SlotControl::kBusy) return k;
        to.control().publish(target, writer);
    }
    return count;
}

}  // namespace pyqmix

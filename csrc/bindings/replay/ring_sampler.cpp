#include <algorithm>
#include <utility>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/replay/pinned_batch.h"
#include "replay/prioritised_draw.h"
#include "replay/random_state.h"

namespace pyqmix {

py::array_t<std::int64_t> PinnedBatch::pin(std::int64_t batch) {
    const InUse::Lock lock = alone();
    member_.require_here();
    if (!slots_.empty()) throw std::runtime_error("this sampler already holds a batch");
    {
        const ReleaseGil release_gil;
        choose(ring(), member_.id(), batch, slots_);
    }
    auto lengths = new_array<std::int64_t>({static_cast<std::int64_t>(slots_.size())});
    std::transform(slots_.begin(), slots_.end(), lengths.mutable_data(),
                   [this](std::int64_t slot) { return ring().length(slot); });
    return lengths;
}

py::array_t<std::int64_t> PinnedBatch::places() const {
    const InUse::Lock lock = alone();
    auto places = new_array<std::int64_t>({static_cast<std::int64_t>(slots_.size()), 2});
    std::int64_t* to = places.mutable_data();
    for (const std::int64_t slot : slots_) {
        *to++ = slot;
        *to++ =
            static_cast<std::int64_t>(ring().control().word(slot) >> SlotWord::kGenerationShift);
    }
    return places;
}

void PinnedBatch::decode(const py::array& obs, const py::array& avail, const py::object& state,
                         const py::array& actions, const py::array& rewards,
                         const py::array& terminated, const py::object& rows) {
    const InUse::Lock lock = alone();
    const EpisodeSpec& s = ring().layout().spec;
    const std::vector<std::int64_t> slots = rows.is_none() ? slots_ : slots_at(rows);
    const auto batch = static_cast<std::int64_t>(slots.size());
    BatchOut out;
    if (actions.ndim() == 3) out.steps = actions.shape(1);
    for (const std::int64_t slot : slots) out.steps = std::max(out.steps, ring().length(slot));
    const std::int64_t points = out.steps + 1;
    out.obs = data_of<float>("obs", obs, {batch, points, s.n_agents, s.obs_dim});
    out.avail = data_of<bool>("avail", avail, {batch, points, s.n_agents, s.n_actions});
    if (s.state_dim > 0)
        out.state = data_of<float>("state", state.cast<py::array>(), {batch, points, s.state_dim});
    out.actions = data_of<std::int64_t>("actions", actions, {batch, out.steps, s.n_agents});
    out.rewards = data_of<float>("rewards", rewards, {batch, out.steps});
    out.terminated = data_of<bool>("terminated", terminated, {batch, out.steps});
    const ReleaseGil release_gil;
    for (std::int64_t b = 0; b < batch; ++b)
        ring().decode_episode(slots[static_cast<std::size_t>(b)], b, out);
}

std::vector<std::int64_t> PinnedBatch::slots_at(const py::array& rows) const {
    const auto* at = data_of<const std::int64_t>("rows", rows, {rows.size()});
    std::vector<std::int64_t> slots;
    for (std::int64_t k = 0; k < rows.size(); ++k) {
        if (at[k] < 0 || at[k] >= static_cast<std::int64_t>(slots_.size()))
            throw std::invalid_argument("rows: expected some of the batch's " +
                                        std::to_string(slots_.size()) + ", got " +
                                        std::to_string(at[k]));
        slots.push_back(slots_[static_cast<std::size_t>(at[k])]);
    }
    return slots;
}

void PinnedBatch::release() {
    const InUse::Lock lock = alone();
    if (member_.here()) ring().unpin(member_.id(), slots_);
    slots_.clear();
}

py::dict PinnedBatch::state() const {
    const InUse::Lock lock = alone();
    return state_of_draws();
}

void PinnedBatch::load_state(const py::dict& state) {
    const InUse::Lock lock = alone();
    load_draws(state);
}

namespace {

template <typename T>
const T* array_in(const py::dict& state, const char* name, std::size_t size) {
    if (!state.contains(name) || !py::isinstance<py::array>(state[name]))
        throw std::invalid_argument(std::string(name) + ": expected an array, got none");
    return data_of<const T>(name, state[name].cast<py::array>(), {static_cast<std::int64_t>(size)});
}
template <typename T>
std::vector<T> vector_in(const py::dict& state, const char* name, std::int64_t size) {
    const T* const from = array_in<T>(state, name, static_cast<std::size_t>(size));
    return {from, from + size};
}
std::mt19937_64 engine_in(const py::dict& state) {
    return random_of({array_in<std::uint64_t>(state, "random", kRandomWords), kRandomWords});
}

class UniformSampler final : public PinnedBatch {
   public:
    UniformSampler(std::shared_ptr<EpisodeRing> ring, std::uint64_t seed)
        : PinnedBatch(std::move(ring)), draw_(seed) {}

   private:
    py::dict state_of_draws() const override {
        py::dict out;
        out["random"] = to_array(state_of(draw_.random()));
        return out;
    }
    void load_draws(const py::dict& state) override { draw_.set_random(engine_in(state)); }
    void choose(EpisodeRing& ring, int sampler, std::int64_t batch,
                std::vector<std::int64_t>& slots) override {
        ring.pin_uniform(sampler, batch, draw_, slots);
    }

    UniformDraw draw_;
};

class PrioritisedSampler final : public PinnedBatch {
   public:
    PrioritisedSampler(const std::shared_ptr<EpisodeRing>& ring, std::uint64_t seed, double alpha)
        : PinnedBatch(ring), capacity_(ring->control().capacity()), draw_(capacity_, alpha, seed) {}

    // Of the last batch: places (B, 2), slots and generations; and probabilities (B,).
    py::tuple drawn() const {
        const InUse::Lock lock = alone();
        const auto batch = static_cast<std::int64_t>(draw_.places().size());
        auto places = new_array<std::int64_t>({batch, 2});
        auto probabilities = new_array<double>({batch});
        std::int64_t* to = places.mutable_data();
        for (const Place& place : draw_.places()) {
            *to++ = place.slot;
            *to++ = place.generation;
        }
        std::copy_n(draw_.probabilities().begin(), batch, probabilities.mutable_data());
        return py::make_tuple(places, probabilities);
    }

    // Takes in the errors (B,) of the episodes at places (B, 2).
    void set_errors(const py::array& places, const py::array& errors) {
        const InUse::Lock lock = alone();
        const std::int64_t batch = errors.size();
        const auto* from = data_of<const std::int64_t>("places", places, {batch, 2});
        const auto* of = data_of<const double>("errors", errors, {batch});
        for (std::int64_t b = 0; b < batch; ++b) {
            const Place place{from[2 * b], from[2 * b + 1]};
            if (place.slot < 0 || place.slot >= capacity_)
                throw std::invalid_argument("places: slot " + std::to_string(place.slot) +
                                            " is none of the ring's");
            draw_.set_error(place, of[b]);
        }
    }

    py::dict state_of_draws() const override {
        const PrioritisedState state = draw_.state();
        py::dict out;
        out["random"] = to_array(state_of(state.random));
        out["largest"] = to_array(std::vector<double>{state.largest});
        out["weights"] = to_array(state.weights);
        out["generations"] = to_array(state.generations);
        return out;
    }
    void load_draws(const py::dict& state) override {
        draw_.set_state({engine_in(state), *array_in<double>(state, "largest", 1),
                         vector_in<double>(state, "weights", capacity_),
                         vector_in<std::int64_t>(state, "generations", capacity_)});
    }

   private:
    void choose(EpisodeRing& ring, int sampler, std::int64_t batch,
                std::vector<std::int64_t>& slots) override {
        draw_.draw(ring.control(), sampler, batch, slots);
    }

    std::int64_t capacity_;
    PrioritisedDraw draw_;
};

}  // namespace

void bind_ring_sampler(py::module_& module) {
    py::class_<PinnedBatch>(module, "PinnedBatch")
        .def("pin", &PinnedBatch::pin, py::arg("batch_size"))
        .def("decode", &PinnedBatch::decode, py::arg("obs"), py::arg("avail"), py::arg("state"),
             py::arg("actions"), py::arg("rewards"), py::arg("terminated"),
             py::arg("rows") = py::none())
        .def("places", &PinnedBatch::places)
        .def("release", &PinnedBatch::release)
        .def("state", &PinnedBatch::state)
        .def("load_state", &PinnedBatch::load_state, py::arg("state"));
    py::class_<UniformSampler, PinnedBatch>(module, "EpisodeSampler")
        .def(py::init<std::shared_ptr<EpisodeRing>, std::uint64_t>(), py::arg("ring"),
             py::arg("seed"));
    py::class_<PrioritisedSampler, PinnedBatch>(module, "PrioritisedSampler")
        .def(py::init<const std::shared_ptr<EpisodeRing>&, std::uint64_t, double>(),
             py::arg("ring"), py::arg("seed"), py::arg("alpha"))
        .def("drawn", &PrioritisedSampler::drawn)
        .def("set_errors", &PrioritisedSampler::set_errors, py::arg("places"), py::arg("errors"));
}

}  // namespace pyqmix

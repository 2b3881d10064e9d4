#include <pybind11/stl.h>

#include <algorithm>
#include <optional>

#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/envs/native_env.h"
#include "bindings/exclusive.h"
#include "bindings/gil.h"
#include "bindings/replay/ring.h"
#include "play/rollout.h"

namespace pyqmix {
namespace {

void load(Policy& policy, const py::array& weights) {
    const auto* from = data_of<const float>("weights", weights, {policy.weights()});
    policy.load({from, static_cast<std::size_t>(policy.weights())});
}

// Values (K, n, A) of observations (K, n, O); hidden (K, n, H) becomes the next one in place.
py::array_t<float> values(const Policy& policy, const py::array& obs,
                          const std::optional<py::array>& hidden) {
    const NetworkSpec& sizes = policy.spec();
    if (obs.ndim() != 3) throw std::invalid_argument("obs: expected (K, n, O)");
    if (hidden.has_value() != (policy.hidden_dim() > 0))
        throw std::invalid_argument(hidden ? "hidden: expected none, as this policy has no state"
                                           : "hidden: expected (K, n, H), got None");
    const std::int64_t episodes = obs.shape(0);
    const auto* from = data_of<const float>("obs", obs, {episodes, sizes.n_agents, sizes.obs_dim});
    float* state = nullptr;
    if (hidden)
        state = data_of<float>("hidden", *hidden, {episodes, sizes.n_agents, policy.hidden_dim()});
    auto out = new_array<float>({episodes, sizes.n_agents, sizes.n_actions});
    PolicyScratch scratch;
    policy.values(episodes, from, state, out.mutable_data(), scratch);
    return out;
}

// A rollout, and what keeps its ring's memory and its writer's id.
class BoundRollout {
   public:
    BoundRollout(const NativeEnv& env, std::shared_ptr<Policy> policy, std::uint64_t seed,
                 std::uint64_t stream, const std::shared_ptr<EpisodeRing>& ring)
        : writer_(ring ? std::make_unique<Member>(ring, Role::writer) : nullptr),
          policy_(policy),
          reports_wins_(env.reports_wins()),
          rollout_(
              env.rollout({std::move(policy), seed, static_cast<Stream>(stream),
                           writer_ ? &writer_->ring() : nullptr, writer_ ? writer_->id() : 0})) {}

    py::tuple play(const py::array& weights, std::int64_t first, std::int64_t count, double epsilon,
                   int threads, std::int64_t lanes) {
        if (count < 1 || threads < 1 || lanes < 1)
            throw std::invalid_argument("count, threads and lanes: expected positive integers");
        if (!(epsilon >= 0.0 && epsilon <= 1.0))
            throw std::invalid_argument("epsilon: expected a number from 0 to 1, got " +
                                        std::to_string(epsilon));
        const InUse::Lock lock(in_use_, "this rollout");
        if (writer_) writer_->require_here();
        load(*policy_, weights);
        auto returns = new_array<double>({count});
        auto lengths = new_array<std::int64_t>({count});
        std::optional<py::array_t<bool>> won;
        if (reports_wins_) won = new_array<bool>({count});
        // Some episodes at a time, so that Ctrl-C is heard.
        const std::int64_t together = kTogether * threads;
        for (std::int64_t done = 0; done < count; done += together) {
            const Play play{first + done,
                            std::min(together, count - done),
                            epsilon,
                            threads,
                            lanes,
                            returns.mutable_data() + done,
                            lengths.mutable_data() + done,
                            won ? won->mutable_data() + done : nullptr};
            {
                ReleaseGil release_gil;
                rollout_->play(play);
            }
            if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        }
        return py::make_tuple(returns, lengths, won);
    }
    int threads_used() const { return rollout_->threads_used(); }

   private:
    static constexpr std::int64_t kTogether = 256;

    std::unique_ptr<Member> writer_;
    std::shared_ptr<Policy> policy_;
    bool reports_wins_;
    std::unique_ptr<Rollout> rollout_;
    InUse in_use_;
};

}  // namespace

void bind_play(py::module_& module) {
    py::register_exception<RingBusy>(module, "RingBusyError", PyExc_RuntimeError);
    py::register_exception<EpisodeError>(module, "EpisodeError", PyExc_RuntimeError);
    py::class_<Policy, std::shared_ptr<Policy>>(module, "Policy")
        .def(py::init(&make_policy), py::arg("spec"))
        .def_property_readonly("weights", &Policy::weights)
        .def(
            "load", [](Policy& policy, const py::array& weights) { load(policy, weights); },
            py::arg("weights"))
        .def("values", &values, py::arg("obs"), py::arg("hidden").none(true) = py::none());
    py::class_<BoundRollout>(module, "Rollout")
        .def(py::init<const NativeEnv&, std::shared_ptr<Policy>, std::uint64_t, std::uint64_t,
                      const std::shared_ptr<EpisodeRing>&>(),
             py::kw_only(), py::arg("env"), py::arg("policy"), py::arg("seed"), py::arg("stream"),
             py::arg("ring").none(true))
        .def_property_readonly("threads_used", &BoundRollout::threads_used)
        .def("play", &BoundRollout::play, py::arg("weights"), py::kw_only(), py::arg("first"),
             py::arg("count"), py::arg("epsilon"), py::arg("threads"), py::arg("lanes"));
}

}  // namespace pyqmix

#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "bindings/envs/native_env.h"
#include "envs/games/matrix.h"
#include "envs/games/two_step.h"

namespace pyqmix {
namespace {

// Games pay one team reward and have no step limit, so only last_action applies.
WorldOptions game_options(bool last_action) {
    return world_options(false, true, last_action, "sum");
}

}  // namespace

void bind_games(py::module_& module) {
    using TwoStep = NativeEnvOf<TwoStepGame>;
    py::class_<TwoStep, NativeEnv>(module, "TwoStepEnv")
        .def(py::init([](bool last_action) {
                 return std::make_unique<TwoStep>(TwoStepGame(), game_options(last_action));
             }),
             py::kw_only(), py::arg("last_action") = false);
    using Matrix = NativeEnvOf<MatrixGame>;
    py::class_<Matrix, NativeEnv>(module, "MatrixEnv")
        .def(py::init([](std::vector<std::int64_t> sizes, std::vector<double> payoffs,
                         bool last_action) {
                 return std::make_unique<Matrix>(MatrixGame(std::move(sizes), std::move(payoffs)),
                                                 game_options(last_action));
             }),
             py::kw_only(), py::arg("sizes"), py::arg("payoffs"), py::arg("last_action") = false);
}

}  // namespace pyqmix

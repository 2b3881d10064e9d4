#include <pybind11/stl.h>

#include <exception>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file.h"
#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/replay/ring.h"
#include "replay/ring_file.h"

namespace py = pybind11;

namespace pyqmix {
namespace {

Storage storage_named(const std::string& name) {
    for (std::int64_t k = 0; k < kStorages; ++k)
        if (name == storage_name(static_cast<Storage>(k))) return static_cast<Storage>(k);
    throw std::invalid_argument("storage: expected int8, uint8, int16 or float32, got " + name);
}

std::vector<std::string> snapshot_names() {
    std::vector<std::string> names;
    for (std::int64_t k = 0; k < kSnapshots; ++k)
        if (const auto* found = find_snapshot(static_cast<Snapshot>(k)))
            names.push_back(found->name);
    return names;
}

Snapshot snapshot_named(const std::optional<std::string>& name) {
    if (!name) return Snapshot::none;
    for (std::int64_t k = 0; k < kSnapshots; ++k) {
        const auto kind = static_cast<Snapshot>(k);
        if (const auto* found = find_snapshot(kind); found && *name == found->name) return kind;
    }
    throw std::invalid_argument("snapshot: expected the name of a game that has snapshots, got " +
                                *name);
}

std::optional<std::string> name_of(Snapshot kind) {
    const SnapshotCodec* const found = find_snapshot(kind);
    return found ? std::optional<std::string>(found->name) : std::nullopt;
}

py::dict stats_of(const EpisodeRing& ring) {
    const SlotControl::Shared& shared = ring.control().shared();
    const auto count = [](const SlotControl::Line& line) {
        return line.value.load(std::memory_order_relaxed);
    };
    py::dict stats;
    stats["published"] = count(shared.published);
    stats["overwritten"] = count(shared.overwritten);
    stats["aborted"] = count(shared.aborted);
    stats["revoked"] = count(shared.revoked);
    stats["busy"] = count(shared.busy);
    return stats;
}

RingFileInfo write(const std::shared_ptr<EpisodeRing>& ring, const std::string& path,
                   std::uint64_t first, std::uint64_t end) {
    const ReleaseGil release_gil;
    const Member sampler(ring, Role::sampler);
    return write_ring_file(*ring, sampler.id(), path, first, end);
}

// What the kernel refuses is an OSError, with its number.
void translate_system_error(std::exception_ptr error) {
    try {
        std::rethrow_exception(std::move(error));
    } catch (const FileError& refused) {
        PyErr_SetObject(
            PyExc_OSError,
            py::make_tuple(refused.code().value(), refused.code().message(), refused.path()).ptr());
    } catch (const std::system_error& refused) {
        PyErr_SetObject(PyExc_OSError,
                        py::make_tuple(refused.code().value(), refused.what()).ptr());
    }
}

void bind_spec(py::module_& module) {
    py::class_<EpisodeSpec>(module, "EpisodeSpec")
        .def(py::init([](std::int64_t n_agents, std::int64_t n_actions, std::int64_t obs_dim,
                         std::int64_t state_dim, std::int64_t episode_limit,
                         const std::string& obs_storage, const std::string& state_storage,
                         const std::optional<std::string>& snapshot) {
                 return EpisodeSpec{n_agents,
                                    n_actions,
                                    obs_dim,
                                    state_dim,
                                    episode_limit,
                                    storage_named(obs_storage),
                                    storage_named(state_storage),
                                    snapshot_named(snapshot)};
             }),
             py::kw_only(), py::arg("n_agents"), py::arg("n_actions"), py::arg("obs_dim"),
             py::arg("state_dim"), py::arg("episode_limit"), py::arg("obs_storage"),
             py::arg("state_storage"), py::arg("snapshot").none(true) = py::none())
        .def_readonly("n_agents", &EpisodeSpec::n_agents)
        .def_readonly("n_actions", &EpisodeSpec::n_actions)
        .def_readonly("obs_dim", &EpisodeSpec::obs_dim)
        .def_readonly("state_dim", &EpisodeSpec::state_dim)
        .def_readonly("episode_limit", &EpisodeSpec::episode_limit)
        .def_property_readonly(
            "obs_storage", [](const EpisodeSpec& spec) { return storage_name(spec.obs_storage); })
        .def_property_readonly(
            "state_storage",
            [](const EpisodeSpec& spec) { return storage_name(spec.state_storage); })
        .def_property_readonly("snapshot",
                               [](const EpisodeSpec& spec) { return name_of(spec.snapshot); })
        .def_property_readonly("snapshot_bytes", [](const EpisodeSpec& spec) {
            return EpisodeLayout(spec).snapshot_sizes.bytes;
        });
    module.def("snapshot_names", &snapshot_names);
    module.def(
        "ring_bytes",
        [](const EpisodeSpec& spec, std::int64_t capacity) {
            return EpisodeRing::bytes_for(EpisodeLayout(spec), capacity);
        },
        py::arg("spec"), py::arg("capacity"));
}

void bind_file(py::module_& module) {
    py::register_exception<RingFileError>(module, "RingFileError", PyExc_ValueError);
    py::class_<RingFileInfo>(module, "RingFileInfo")
        .def_readonly("spec", &RingFileInfo::spec)
        .def_readonly("capacity", &RingFileInfo::capacity)
        .def_readonly("episodes", &RingFileInfo::episodes)
        .def_readonly("nbytes", &RingFileInfo::bytes)
        .def_readonly("checksum", &RingFileInfo::checksum);
    module.def("verify_ring_file", &verify_ring_file, py::arg("path"),
               py::call_guard<ReleaseGil>());
    module.def("write_ring_file", &write, py::arg("ring"), py::arg("path"), py::arg("first"),
               py::arg("end"));
    module.def("require_whole_ring", &require_whole_ring, py::arg("files"));
    module.def("restore_ring", &restore_ring, py::arg("ring"), py::arg("files"),
               py::call_guard<ReleaseGil>());
}

}  // namespace

void bind_replay(py::module_& module) {
    py::register_local_exception_translator(
        [](std::exception_ptr error) { translate_system_error(std::move(error)); });
    bind_spec(module);
    py::class_<EpisodeRing, std::shared_ptr<EpisodeRing>>(module, "EpisodeRing")
        .def(py::init<const EpisodeSpec&, std::int64_t, bool>(), py::arg("spec"),
             py::arg("capacity"), py::arg("shared") = false)
        .def_static("attach", &EpisodeRing::attach, py::arg("fd"))
        .def_property_readonly("spec", [](const EpisodeRing& r) { return r.layout().spec; })
        .def_property_readonly("capacity",
                               [](const EpisodeRing& r) { return r.control().capacity(); })
        .def_property_readonly("tickets",
                               [](const EpisodeRing& r) { return r.control().tickets(); })
        .def_property_readonly("nbytes", &EpisodeRing::bytes)
        .def_property_readonly("fd", &EpisodeRing::fd)
        .def(
            "reserve",
            [](EpisodeRing& r, std::uint64_t count) { return r.control().reserve(count); },
            py::arg("count"))
        .def("__len__", [](const EpisodeRing& r) { return r.control().sampleable(); })
        .def("stats", &stats_of);
    bind_ring_writer(module);
    bind_ring_sampler(module);
    bind_packed_episodes(module);
    bind_ring_transfer(module);
    bind_file(module);
}

}  // namespace pyqmix

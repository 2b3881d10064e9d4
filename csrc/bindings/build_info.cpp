#include <pybind11/stl.h>

#include "base/simd.h"
#include "bindings/bindings.h"

namespace py = pybind11;

namespace pyqmix {

void bind_build_info(py::module_& module) {
    module.attr("__version__") = PYQMIX_VERSION;
    module.def("build_info", [] {
        py::dict info;
        info["version"] = PYQMIX_VERSION;
        info["compiler"] = PYQMIX_COMPILER;
        info["build_type"] = PYQMIX_BUILD_TYPE;
        info["sanitizer"] = PYQMIX_SANITIZER;
        info["simd"] = to_string(simd_level());
        info["simd_compiled"] = compiled_simd_levels();
        const auto of_cuda = [](const char* text) {
            return kWithCuda ? py::object(py::str(text)) : py::none();
        };
        info["cuda"] = of_cuda(PYQMIX_CUDA_VERSION);
        info["cuda_architectures"] = of_cuda(PYQMIX_CUDA_ARCHS);
        return info;
    });
}

}  // namespace pyqmix

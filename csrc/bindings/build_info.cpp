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
#if defined(PYQMIX_WITH_CUDA)
        info["cuda"] = PYQMIX_CUDA_VERSION;
        info["cuda_architectures"] = PYQMIX_CUDA_ARCHS;
#else
        info["cuda"] = py::none();
        info["cuda_architectures"] = py::none();
#endif
        return info;
    });
}

}  // namespace pyqmix

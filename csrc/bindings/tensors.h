// Tensors as pyqmix/ops hands them to kernels, after it has checked device, dtype, shape and
// strides. They are read through their Python attributes, because the extension links no torch.
#pragma once

#include <pybind11/gil_safe_call_once.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/bfloat16.h"
#include "base/rows.h"
#include "base/workspace.h"

namespace pyqmix {

namespace py = pybind11;

// A torch.Tensor. Copying, destroying and reading it need the GIL.
class Tensor {
   public:
    Tensor() = default;
    explicit Tensor(py::handle tensor) : tensor_(py::reinterpret_borrow<py::object>(tensor)) {}

    template <typename T>
    T* data() const {
        static PyObject* const name = PyUnicode_InternFromString("data_ptr");
        const auto address = owned(PyObject_CallMethodNoArgs(tensor_.ptr(), name));
        void* const data = checked(PyLong_AsVoidPtr(address.ptr()));
        if (!data) require_empty();
        return static_cast<T*>(data);
    }

    // In elements, from one row to the next.
    std::int64_t stride() const {
        static PyObject* const name = PyUnicode_InternFromString("stride");
        static PyObject* const first = PyLong_FromLong(0);
        const auto stride = owned(PyObject_CallMethodOneArg(tensor_.ptr(), name, first));
        return checked(PyLong_AsLongLong(stride.ptr()));
    }

    // Of a matrix whose rows are contiguous.
    template <typename T>
    Rows<T> rows() const {
        return {data<T>(), stride()};
    }

    std::vector<std::int64_t> shape() const {
        static PyObject* const name = PyUnicode_InternFromString("shape");
        const auto sizes = owned(PyObject_GetAttr(tensor_.ptr(), name));
        std::vector<std::int64_t> out;
        for (Py_ssize_t k = 0; k < PyTuple_Size(sizes.ptr()); ++k)
            out.push_back(checked(PyLong_AsLongLong(PyTuple_GetItem(sizes.ptr(), k))));
        return out;
    }

    py::object dtype() const {
        static PyObject* const name = PyUnicode_InternFromString("dtype");
        return owned(PyObject_GetAttr(tensor_.ptr(), name));
    }

    std::int64_t element_size() const {
        static PyObject* const name = PyUnicode_InternFromString("element_size");
        const auto bytes = owned(PyObject_CallMethodNoArgs(tensor_.ptr(), name));
        return checked(PyLong_AsLongLong(bytes.ptr()));
    }

   private:
    // A tensor without memory, such as a shard that was freed, has numbers that nobody may read.
    void require_empty() const {
        static PyObject* const name = PyUnicode_InternFromString("numel");
        const auto count = owned(PyObject_CallMethodNoArgs(tensor_.ptr(), name));
        if (checked(PyLong_AsLongLong(count.ptr())) > 0)
            throw std::runtime_error("expected a tensor with memory, got one without, of shape " +
                                     py::str(tensor_.attr("shape")).cast<std::string>());
    }

    static py::object owned(PyObject* object) {
        if (!object) throw py::error_already_set();
        return py::reinterpret_steal<py::object>(object);
    }

    template <typename Value>
    static Value checked(Value value) {
        if (PyErr_Occurred()) throw py::error_already_set();
        return value;
    }

    py::object tensor_;
};

template <typename T>
inline constexpr const char* kTorchName = nullptr;
template <>
inline constexpr const char* kTorchName<float> = "float32";
template <>
inline constexpr const char* kTorchName<double> = "float64";
template <>
inline constexpr const char* kTorchName<BFloat16> = "bfloat16";

template <typename T>
bool is_dtype(const py::object& dtype) {
    PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object> known;
    const auto find = [] { return py::object(py::module_::import("torch").attr(kTorchName<T>)); };
    return dtype.is(known.call_once_and_store_result(find).get_stored());
}

// Calls visit with a zero of the type, T or one of Others, that torch calls `dtype`.
template <typename T, typename... Others, typename Visit>
auto with_dtype(const py::object& dtype, const Visit& visit) {
    if (is_dtype<T>(dtype)) return visit(T{});
    if constexpr (sizeof...(Others) > 0) return with_dtype<Others...>(dtype, visit);
    throw py::type_error("no kernel for tensors of " + py::str(dtype).cast<std::string>());
}

template <typename Visit>
auto with_floating(const Tensor& like, const Visit& visit) {
    return with_dtype<float, double>(like.dtype(), visit);
}

// For kernels that take bfloat16 too.
template <typename Visit>
auto with_floating_or_bfloat16(const Tensor& like, const Visit& visit) {
    return with_dtype<float, double, BFloat16>(like.dtype(), visit);
}

// A cudaStream_t as torch.cuda.Stream.cuda_stream names it.
using CudaStream = std::uintptr_t;
inline void* handle_of(CudaStream stream) { return reinterpret_cast<void*>(stream); }

// Memory for `count` T, which a forward keeps for its backward.
template <typename T>
std::unique_ptr<Workspace> workspace_of(std::int64_t count) {
    return std::make_unique<Workspace>(static_cast<std::size_t>(count) * sizeof(T));
}
template <typename T>
T* data_of(const std::unique_ptr<Workspace>& kept) {
    return kept ? static_cast<T*>(kept->data()) : nullptr;
}

}  // namespace pyqmix

template <>
struct pybind11::detail::type_caster<pyqmix::Tensor> {
    PYBIND11_TYPE_CASTER(pyqmix::Tensor, const_name("torch.Tensor"));

    bool load(handle tensor, bool) {
        value = pyqmix::Tensor(tensor);
        return !tensor.is_none();
    }
};

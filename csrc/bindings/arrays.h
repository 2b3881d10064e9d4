// NumPy arrays as kernels take them: checked for dtype, shape and layout.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace pyqmix {

namespace py = pybind11;

inline std::string shape_text(const std::vector<std::int64_t>& shape) {
    std::ostringstream text;
    text << "(";
    for (std::size_t i = 0; i < shape.size(); ++i) text << (i ? ", " : "") << shape[i];
    text << (shape.size() == 1 ? ",)" : ")");
    return text.str();
}

// The array's data, if it is a C-contiguous T of exactly this shape (writeable where T is not
// const).
template <typename T>
T* data_of(const char* name, const py::array& array, const std::vector<std::int64_t>& shape) {
    using Value = std::remove_const_t<T>;
    const std::vector<std::int64_t> got(array.shape(), array.shape() + array.ndim());
    const bool contiguous = array.flags() & py::array::c_style;
    if (!py::isinstance<py::array_t<Value>>(array) || got != shape || !contiguous)
        throw std::invalid_argument(std::string(name) + ": expected " + shape_text(shape) + " " +
                                    py::str(py::dtype::of<Value>()).cast<std::string>() +
                                    " C-contiguous, got " + shape_text(got) + " " +
                                    py::str(array.dtype()).cast<std::string>() +
                                    (contiguous ? "" : " not contiguous"));
    if constexpr (std::is_const_v<T>)
        return static_cast<T*>(array.data());
    else
        return static_cast<T*>(const_cast<py::array&>(array).mutable_data());
}

// A new C-contiguous array.
template <typename T>
py::array_t<T> new_array(const std::vector<std::int64_t>& shape) {
    return py::array_t<T>(std::vector<py::ssize_t>(shape.begin(), shape.end()));
}

// A copy as an array of one dimension.
template <typename T>
py::array_t<T> to_array(const std::vector<T>& values) {
    return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

}  // namespace pyqmix

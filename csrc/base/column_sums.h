// Sums over the rows of a matrix. In an unnamed namespace for the reason given in
// mixer/mixer_math.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/rows.h"

namespace pyqmix {
namespace {

// Adds the columns of (rows, width) to sums, width a multiple of 128 bytes: a few rows at a time,
// so that few sums round to the size of the whole.
template <typename T>
void add_columns(std::int64_t rows, std::int64_t width, Rows<const T> from, double* sums) {
    constexpr std::int64_t kRows = 8, kColumns = 128 / sizeof(T);
    for (std::int64_t first = 0; first < width; first += kColumns)
        for (std::int64_t row = 0; row < rows; row += kRows) {
            T few[kColumns] = {};
            for (std::int64_t r = row; r < std::min(row + kRows, rows); ++r)
                for (std::int64_t j = 0; j < kColumns; ++j) few[j] += from[r][first + j];
            for (std::int64_t j = 0; j < kColumns; ++j) sums[first + j] += few[j];
        }
}

}  // namespace
}  // namespace pyqmix

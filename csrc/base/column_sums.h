// Sums over the rows of a matrix. In an unnamed namespace for the reason given in
// ops/mix/mix_math.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/rows.h"

namespace pyqmix {
namespace {

// Adds the sums of the columns of (rows, width) to `sums`; width is a multiple of 128 bytes. Sums a
// few rows at a time in T, so that few additions round at the size of the total.
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

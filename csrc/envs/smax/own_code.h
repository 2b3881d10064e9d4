// PYQMIX_OWN_CODE is for functions in headers that sources of several SIMD levels include: the
// linker would keep one level's code for all of them, if they were not inlined.
#pragma once

#define PYQMIX_OWN_CODE [[gnu::always_inline]] inline

// Releases Python's global lock while a kernel runs.
#pragma once

#include <Python.h>
#include <unistd.h>

namespace pyqmix {

// When the program has ended, Python ends every daemon thread that asks for the lock, by unwinding
// its stack. pybind11's gil_scoped_release would abort the process there, because a destructor that
// is left that way calls std::terminate. This one lets the thread wait until the process is gone,
// as Python itself does from 3.14 on.
class ReleaseGil {
   public:
    ReleaseGil() : state_(PyEval_SaveThread()) {}
    ~ReleaseGil() {
        try {
            PyEval_RestoreThread(state_);
        } catch (...) {  // a handler that ends would abort, too
            for (;;) ::pause();
        }
    }
    ReleaseGil(const ReleaseGil&) = delete;
    ReleaseGil& operator=(const ReleaseGil&) = delete;

   private:
    PyThreadState* const state_;
};

}  // namespace pyqmix

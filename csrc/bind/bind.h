// The binding: argument checks, GIL, zero-copy arrays. No algorithm lives here.
// Each bind_<part>.cpp adds one part to the module; module.cpp is the list of them.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace cutaway {
namespace py = pybind11;
void bind_errors(py::module_& m);
void bind_format(py::module_& m);
void bind_tokenizer(py::module_& m);
void bind_patterns(py::module_& m);
void bind_train(py::module_& m);
void bind_sample(py::module_& m);
void bind_model(py::module_& m);
}  // namespace cutaway

// Texts from Python without a copy.
#pragma once
#include <string_view>

#include "bind/bind.h"
#include "core/error.h"

namespace cutaway {

// The UTF-8 bytes of a str, or bytes as they are; the object must outlive the view.
inline std::string_view view_of(const py::handle& given) {
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_Check(given.ptr())) {
    PyBytes_AsStringAndSize(given.ptr(), &data, &size);
    return {data, static_cast<size_t>(size)};
  }
  if (!PyUnicode_Check(given.ptr())) {
    throw ArgumentError(text("the text is of type {}, expected str or bytes",
                             std::string(py::str(py::type::of(given).attr("__name__")))));
  }
  const char* utf8 = PyUnicode_AsUTF8AndSize(given.ptr(), &size);
  if (utf8) return {utf8, static_cast<size_t>(size)};
  PyErr_Clear();
  Py_ssize_t at = 0;
  const auto surrogate = [](Py_UCS4 c) { return c >= 0xD800 && c <= 0xDFFF; };
  while (!surrogate(PyUnicode_ReadChar(given.ptr(), at))) ++at;
  throw ArgumentError(text(
      "the text has a lone surrogate at position {}, which is no character and has no UTF-8 form; remove "
      "it, or pass bytes",
      at));
}

}  // namespace cutaway

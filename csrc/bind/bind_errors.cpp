// C++ exceptions become the classes of cutaway/errors.py, which is pure Python, so that they can have two
// bases (ArgumentError is a ValueError, MemoryLimitError a MemoryError).
#include <cstring>

#include "bind/bind.h"
#include "core/error.h"

namespace cutaway {
namespace {

void raise(const char* name, const char* what) {
  const py::object type = py::module_::import("cutaway.errors").attr(name);
  // A message may quote a path or a token that is not UTF-8; it must not turn into a UnicodeDecodeError.
  const py::object message = py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(what, static_cast<Py_ssize_t>(std::strlen(what)), "backslashreplace"));
  if (message) PyErr_SetObject(type.ptr(), message.ptr());
}

}  // namespace

void bind_errors(py::module_&) {
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const FormatError& e) { raise("FormatError", e.what()); } catch (const ArgumentError& e) {
      raise("ArgumentError", e.what());
    } catch (const MemoryLimitError& e) { raise("MemoryLimitError", e.what()); } catch (const Error& e) {
      raise("Error", e.what());
    }
  });
}

}  // namespace cutaway

// NumPy arrays over the engine's memory: no copy, read-only, alive as long as a view lives.
#pragma once
#include <memory>
#include <vector>

#include "bind/bind.h"
#include "core/buffer.h"

namespace cutaway {

inline py::array view(const std::shared_ptr<Buffer>& owner, float* data, const std::vector<int64_t>& shape,
                      bool writable = false) {
  py::capsule keep(new std::shared_ptr<Buffer>(owner),
                   [](void* p) { delete static_cast<std::shared_ptr<Buffer>*>(p); });
  py::array a(py::dtype::of<float>(), std::vector<py::ssize_t>(shape.begin(), shape.end()), data, keep);
  if (!writable) py::detail::array_proxy(a.ptr())->flags &= ~py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
  return a;
}

inline void freeze(py::array& a) {
  py::detail::array_proxy(a.ptr())->flags &= ~py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
}

}  // namespace cutaway

#include "bind/bind.h"

namespace cutaway {
void bind_sample(py::module_&) {}
}  // namespace cutaway

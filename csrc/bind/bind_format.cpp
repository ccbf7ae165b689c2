#include "bind/bind.h"

namespace cutaway {
void bind_format(py::module_&) {}
}  // namespace cutaway

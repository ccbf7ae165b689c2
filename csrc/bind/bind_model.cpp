#include "bind/bind.h"

namespace cutaway {
void bind_model(py::module_&) {}
}  // namespace cutaway

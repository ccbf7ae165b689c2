#include "bind/bind.h"

namespace cutaway {
void bind_tokenizer(py::module_&) {}
}  // namespace cutaway

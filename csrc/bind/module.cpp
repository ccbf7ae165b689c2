#include "bind/bind.h"

PYBIND11_MODULE(_core, m) {
  m.doc() = "The C++ engine of cutaway. Use the cutaway package; this module is its floor.";
  cutaway::bind_errors(m);
#ifdef CUTAWAY_HAS_FORMAT
  cutaway::bind_format(m);
#endif
#ifdef CUTAWAY_HAS_TOKENIZER
  cutaway::bind_tokenizer(m);
#endif
#ifdef CUTAWAY_HAS_SAMPLE
  cutaway::bind_sample(m);
#endif
#ifdef CUTAWAY_HAS_MODEL
  cutaway::bind_model(m);
#endif
}

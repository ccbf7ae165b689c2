#include "bind/bind.h"

PYBIND11_MODULE(_core, m) {
  m.doc() = "The C++ engine of cutaway. Use the cutaway package; this module is its floor.";
  cutaway::bind_errors(m);
  cutaway::bind_format(m);
  cutaway::bind_tokenizer(m);
  cutaway::bind_patterns(m);
  cutaway::bind_train(m);
  cutaway::bind_sample(m);
  cutaway::bind_model(m);
}

// Kinds of a part, by the name in its member "type".
#pragma once
#include <string>

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/hf/part.h"

namespace cutaway::hf {

template <class Make>
struct Kind {
  const char* type;
  Make make;
};

// The maker of a part; UnsupportedError, naming all kinds, where the file's is none of them.
template <class Make, size_t n>
Make maker_of(const Part& part, const std::string& type, const Kind<Make> (&kinds)[n], const char* what) {
  std::string names;
  for (const Kind<Make>& kind : kinds) {
    if (type == kind.type) return kind.make;
    names += (names.empty() ? "" : ", ") + std::string(kind.type);
  }
  part.unsupported(
      text("is of type '{}', which is no {} that is known; there are: {}", format::shown(type), what, names));
}

}  // namespace cutaway::hf

// Regular expressions of tokenizer.json files that no scanner stands for: cutaway.patterns compiles them with
// the Python package `regex`, and is called back, with the GIL held, for every text.
#include "bind/bind.h"
#include "core/error.h"
#include "tokenizer/hf/pattern.h"
#include "tokenizer/unicode.h"

namespace cutaway {
namespace {

// Released with the GIL held, whichever thread lets go of it last.
std::shared_ptr<py::object> shared(py::object object) {
  return {new py::object(std::move(object)), [](py::object* p) {
            if (!Py_IsInitialized()) return;  // at exit: the interpreter has freed it
            py::gil_scoped_acquire locked;
            delete p;
          }};
}

// The package's tables are newer than Unicode 16: what was not assigned then reads as U+0378, which never is,
// where the expression asks for properties.
// A byte that is no character reads as a lone surrogate, which no class of letters, digits or spaces holds.
struct Readable {
  std::u32string characters;
  std::vector<uint32_t> begins;  // byte of each character, and the end
};
Readable readable(std::string_view text, bool properties) {
  Readable out;
  out.characters.reserve(text.size());
  out.begins.reserve(text.size() + 1);
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    out.begins.push_back(static_cast<uint32_t>(at));
    const char32_t stray = 0xDC00 + static_cast<unsigned char>(text[at]);
    const bool unassigned = properties && step.ok && category(step.cp) == Category::Cn;
    out.characters.push_back(!step.ok ? stray : unassigned ? U'\u0378' : step.cp);
    at += step.ok ? step.bytes : 1;
  }
  out.begins.push_back(static_cast<uint32_t>(text.size()));
  return out;
}

hf::Search compile(const std::string& expression) {
  py::gil_scoped_acquire locked;
  const py::tuple compiled = py::module_::import("cutaway.patterns").attr("compile_pattern")(expression);
  const auto find = shared(compiled[0]);
  const bool properties = compiled[1].cast<bool>();
  return [find, properties](std::string_view text, std::vector<Span>& out) {
    const Readable given = readable(text, properties);
    py::gil_scoped_acquire held;
    const py::object str = py::reinterpret_steal<py::object>(PyUnicode_FromKindAndData(
        PyUnicode_4BYTE_KIND, given.characters.data(), static_cast<Py_ssize_t>(given.characters.size())));
    for (const py::handle& one : (*find)(str)) {
      const auto [begin, end] = one.cast<std::pair<size_t, size_t>>();
      out.push_back({given.begins.at(begin), given.begins.at(end)});
    }
  };
}

}  // namespace

void bind_patterns(py::module_&) { hf::set_regex_engine(&compile); }

}  // namespace cutaway

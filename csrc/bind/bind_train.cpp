// Training a tokenizer: texts in, the merges out.
#include <algorithm>
#include <utility>

#include "bind/bind.h"
#include "bind/text_view.h"
#include "tokenizer/hf/cutter.h"
#include "tokenizer/train_bpe.h"

namespace cutaway {
namespace {

// texts: an iterable of str or bytes -> (tokens as bytes, merges [n, 2]). progress(number of ids) is called
// now and then.
py::tuple train(const py::iterable& texts, int64_t vocab_size, const std::string& pretokenizer,
                const std::vector<std::string>& special, int64_t min_frequency,
                const py::function& progress) {
  const Pretokenizer scan = find_pretokenizer(pretokenizer);
  if (!scan)
    throw ArgumentError(
        text("no pre-tokenizer is called '{}'; there are: {}", pretokenizer, pretokenizer_names()));
  WordCounts words(scan);
  for (const py::handle given : texts) {
    const std::string_view view = view_of(given);
    py::gil_scoped_release unlocked;
    words.add(view);
  }
  TrainedBpe trained;
  {
    py::gil_scoped_release unlocked;
    trained = train_bpe(words, vocab_size, special, min_frequency, [&](int64_t ids) {
      py::gil_scoped_acquire locked;
      if (PyErr_CheckSignals()) throw py::error_already_set();
      progress(ids);
    });
  }
  py::list tokens;
  for (const std::string& token : trained.tokens) tokens.append(py::bytes(token));
  py::array_t<int32_t> merges({static_cast<py::ssize_t>(trained.merges.size()), py::ssize_t{2}});
  int32_t* to = merges.mutable_data();
  for (const auto& merge : trained.merges) to = std::copy(merge.begin(), merge.end(), to);
  return py::make_tuple(tokens, merges);
}

// The expression that a tokenizer.json has for a pre-tokenizer; None where it is not one expression.
py::object split_pattern(const std::string& pretokenizer) {
  static constexpr std::pair<const char*, const char*> kPatterns[] = {
#define SPLIT_PATTERN(name, expression) {name, expression},
#include "tokenizer/split_patterns.def"
#undef SPLIT_PATTERN
  };
  for (const auto& [name, expression] : kPatterns)
    if (pretokenizer == name) return py::str(expression);
  return py::none();
}

// The steps that a tokenizer.json has for one, where they are several: expressions, and names of other parts.
py::object split_steps(const std::string& pretokenizer) {
  using hf::kByteLevel, hf::kDigitsAlone, hf::kPunctuation;
  static const std::pair<std::string_view, std::vector<std::string_view>> kSteps[] = {
#define SPLIT_STEPS(name, ...) {name, {__VA_ARGS__}},
#include "tokenizer/split_steps.def"
#undef SPLIT_STEPS
  };
  for (const auto& [name, steps] : kSteps)
    if (pretokenizer == name) return py::cast(steps);
  return py::none();
}

}  // namespace

void bind_train(py::module_& m) {
  m.def("split_pattern", &split_pattern, py::arg("pretokenizer"),
        "The regular expression of a pre-tokenizer, as files spell it; None: it is not one expression.");
  m.def(
      "split_steps", &split_steps, py::arg("pretokenizer"),
      "The same where it is several steps: expressions, or Digits, Punctuation, ByteLevel; None: it is not.");
  m.def("train_bpe", &train, py::arg("texts"), py::arg("vocab_size"), py::arg("pretokenizer"),
        py::arg("special_tokens"), py::arg("min_frequency"), py::arg("progress"),
        "-> (tokens as bytes, merges int32 [n, 2])");
}

}  // namespace cutaway

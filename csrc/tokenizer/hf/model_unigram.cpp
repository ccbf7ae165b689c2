// Unigram: [["piece", log probability], ...] by id.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/hf/model.h"
#include "tokenizer/unigram.h"

namespace cutaway::hf {
namespace {

// A number as serde_json reads it into an f64, which rounds twice: its digits to a double, and that divided
// by a power of ten. Sums of scores that ought to be equal are told apart by their last bits, so these must
// be the same.
double read_score(format::JsonReader& vocab) {
  const auto begin = vocab;
  const format::JsonNumber exact = vocab.number();  // checks the form
  if (!std::holds_alternative<double>(exact)) {
    return std::visit([](auto v) { return static_cast<double>(v); }, exact);
  }
  auto again = begin;
  const std::string_view text = again.raw();
  size_t at = text[0] == '-';
  uint64_t digits = 0;
  int64_t exponent = 0;
  bool full = false, fraction = false;
  for (; at < text.size() && text[at] != 'e' && text[at] != 'E'; ++at) {
    if (text[at] == '.') {
      fraction = true;
      continue;
    }
    const uint64_t digit = static_cast<uint64_t>(text[at] - '0');
    full = full || digits > (UINT64_MAX - digit) / 10;
    if (!full) digits = digits * 10 + digit;
    if (fraction != full) exponent += fraction ? -1 : 1;
  }
  if (at < text.size()) exponent += std::strtol(std::string(text.substr(at + 1)).c_str(), nullptr, 10);
  double value = static_cast<double>(digits);
  for (; exponent < -308 && value != 0; exponent += 308) value /= 1e308;
  const double power = std::pow(10.0, static_cast<double>(std::min<int64_t>(std::abs(exponent), 308)));
  value = exponent < 0 ? value / power : value * power;
  return text[0] == '-' ? -value : value;
}

}  // namespace

Model make_model_unigram(const Part& part, bool) {
  Model model;
  std::vector<double> scores;
  format::JsonReader vocab = part.reader("vocab");
  vocab.array([&] {
    int n = 0;
    vocab.array([&] {
      if (n == 0) model.pieces.push_back(vocab.string());
      if (n == 1) scores.push_back(read_score(vocab));
      if (++n > 2) vocab.fail("more than a piece and its score");
    });
    if (n != 2) vocab.fail("expected a piece and its score");
  });
  model.count = model.pieces.size();
  if (model.pieces.empty()) part.fail("member 'vocab' is empty");
  std::vector<TokenType> types(model.pieces.size(), TokenType::normal);
  UnigramModel::Options options;
  if (part.has("unk_id")) {
    const uint64_t id = part.integer("unk_id");
    if (id >= model.pieces.size()) {
      part.fail(text("member 'unk_id' is {}, expected less than {}, the number of pieces", id,
                     model.pieces.size()));
    }
    options.unknown = model.unknown = static_cast<int32_t>(id);
  }
  if (part.boolean("byte_fallback", false)) {
    for (int b = 0; b < 256; ++b) {
      static const char* const kDigits = "0123456789ABCDEF";
      const int32_t id = find_piece(model, std::string("<0x") + kDigits[b >> 4] + kDigits[b & 15] + ">");
      if (id < 0)
        part.unsupported(text("member 'byte_fallback' is true, but there is no piece for byte {}", b));
      options.byte_ids.push_back(id);
    }
  }
  model.words = std::make_shared<UnigramModel>(model.pieces, scores, types, options);
  return model;
}

}  // namespace cutaway::hf

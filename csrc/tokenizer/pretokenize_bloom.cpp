// BLOOM (its tokenizer.json):  ?[^(\s|.,!?…。，、।۔،)]+  and what lies between.
#include "tokenizer/scanner.h"

namespace cutaway {
namespace {

struct Bloom {
  static bool in_word(const Char& c) {
    if (!c.bytes || c.in(kSpaces)) return false;
    for (const char32_t stop : U"(|.,!?…。，、।۔،)") {
      if (c.cp == stop && stop) return false;
    }
    return true;
  }
  static bool begins(const Reader& r, size_t at, const Char& c) {
    return in_word(c) || (c.cp == ' ' && c.bytes && in_word(r.at(at + 1)));
  }
  static size_t next(const Reader& r, size_t at) {
    Char c = r.at(at);
    const bool word = begins(r, at, c);
    for (c = r.at(at += c.bytes); c.bytes && (word ? in_word(c) : !begins(r, at, c)); c = r.at(at))
      at += c.bytes;
    return at;
  }
};

}  // namespace

size_t cut_bloom(std::string_view text, size_t& at, uint32_t* ends, size_t capacity) {
  return scan_with<Bloom>(text, at, ends, capacity);
}

}  // namespace cutaway

#include "tokenizer/graphemes.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "tokenizer/unicode.h"

namespace cutaway {
namespace {

constexpr uint32_t kRuns[] = {
#include "tokenizer/grapheme_table.inc"
};

// The order is that of scripts/make_grapheme_table.py. Those of InCB are parts of Other, Extend and ZWJ.
enum class Break : uint8_t {
  other,
  cr,
  lf,
  control,
  extend,
  zwj,
  regional,
  prepend,
  spacing,
  l,
  v,
  t,
  lv,
  lvt,
  pictographic,
  consonant,     // InCB=Consonant
  linker,        // InCB=Linker: extends, and joins two consonants
  extend_indic,  // InCB=Extend: extends, and may stand between linker and consonant
};

Break break_of(char32_t cp) {
  const auto after = std::upper_bound(std::begin(kRuns), std::end(kRuns), cp << 8 | 255);
  return static_cast<Break>(*(after - 1) & 255);
}

bool extends(Break b) {
  return b == Break::extend || b == Break::linker || b == Break::extend_indic || b == Break::zwj;
}

// What the rules need to know of the cluster so far.
struct Before {
  Break last;
  bool pictograph = false;  // Extended_Pictographic Extend*, GB11
  bool consonant = false;   // a consonant, then only what extends or links, GB9c
  bool linked = false;      // and a linker among it
  bool odd_region = false;  // an odd number of regional indicators, GB12
};

bool joins(const Before& before, Break next) {
  const Break last = before.last;
  if (last == Break::cr) return next == Break::lf;                                     // GB3
  if (last == Break::lf || last == Break::control) return false;                       // GB4
  if (next == Break::cr || next == Break::lf || next == Break::control) return false;  // GB5
  if (last == Break::l) {                                                              // GB6
    if (next == Break::l || next == Break::v || next == Break::lv || next == Break::lvt) return true;
  }
  if ((last == Break::lv || last == Break::v) && (next == Break::v || next == Break::t)) return true;  // GB7
  if ((last == Break::lvt || last == Break::t) && next == Break::t) return true;                       // GB8
  if (extends(next) || next == Break::spacing) return true;                                 // GB9, GB9a
  if (last == Break::prepend) return true;                                                  // GB9b
  if (before.consonant && before.linked && next == Break::consonant) return true;           // GB9c
  if (last == Break::zwj && before.pictograph && next == Break::pictographic) return true;  // GB11
  return last == Break::regional && next == Break::regional && before.odd_region;           // GB12, GB13
}

void note(Before& before, Break next) {
  before.pictograph = next == Break::pictographic || (before.pictograph && extends(next));
  const bool indic = next == Break::linker || next == Break::extend_indic || next == Break::zwj;
  before.linked =
      next != Break::consonant && before.consonant && indic && (before.linked || next == Break::linker);
  before.consonant = next == Break::consonant || (before.consonant && indic);
  before.odd_region = next == Break::regional && !before.odd_region;
  before.last = next;
}

}  // namespace

size_t grapheme_end(std::string_view text, size_t at) {
  const auto ascii = [&](size_t i) { return static_cast<unsigned char>(text[i]) < 0x80; };
  if (ascii(at) && text[at] != '\r' && (at + 1 == text.size() || ascii(at + 1))) return at + 1;
  Utf8Step step = utf8_step(text, at);
  at += step.bytes;
  if (!step.ok) return at;
  Before before{Break::other};
  note(before, break_of(step.cp));
  while (at < text.size()) {
    step = utf8_step(text, at);
    const Break next = step.ok ? break_of(step.cp) : Break::control;
    if (!joins(before, next)) break;
    note(before, next);
    at += step.bytes;
  }
  return at;
}

}  // namespace cutaway

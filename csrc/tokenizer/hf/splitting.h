// How the matches of something cut a piece: the five behaviours of the Hugging Face library.
#pragma once
#include <string_view>
#include <vector>

#include "tokenizer/hf/cutter.h"
#include "tokenizer/hf/part.h"
#include "tokenizer/unicode.h"

namespace cutaway::hf {

enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };
Behavior read_behavior(const Part& part, std::string_view name);

// What the rest of a piece is called after a cut: the rule that made it a piece, where there is one.
inline Rule rest_of(const Pretoken& piece, Rule rule = Rule::between_matches) {
  return piece.rule == Rule::text ? rule : piece.rule;
}

// A part of a piece that matched, or one between two that did.
struct Stretch {
  uint32_t begin, end;  // bytes of the text
  Rule rule;
  bool match;
};

// The stretches of one piece as pieces of their own, appended to `out`; empty ones are left out.
void cut_stretches(std::vector<Stretch>& stretches, Behavior behavior, std::vector<Pretoken>& out);

// Cuts every piece. stretches_of(piece, out) appends what covers the piece, in order.
template <class StretchesOf>
void cut_each(CutText& cut, Behavior behavior, const StretchesOf& stretches_of) {
  std::vector<Pretoken> pieces;
  pieces.reserve(cut.pieces.size());
  std::vector<Stretch> stretches;
  for (const Pretoken& piece : cut.pieces) {
    stretches.clear();
    stretches_of(piece, stretches);
    if (stretches.size() == 1 && stretches[0].rule == Rule::between_matches) stretches[0].rule = piece.rule;
    cut_stretches(stretches, behavior, pieces);
  }
  cut.pieces = std::move(pieces);
}

// Cuts at every character of which is(character) is true; each is a match by itself. rest: the rule of what
// lies between.
template <class Is>
void cut_at_characters(CutText& cut, Behavior behavior, Rule rule, Rule rest, const Is& is) {
  const std::string_view text = cut.text.view();
  cut_each(cut, behavior, [&](const Pretoken& piece, std::vector<Stretch>& out) {
    uint32_t from = piece.begin;
    for (uint32_t at = piece.begin; at < piece.end;) {
      const Utf8Step step = utf8_step(text.substr(0, piece.end), at);
      const uint32_t next = at + step.bytes;
      if (step.ok && is(step.cp)) {
        if (from < at) out.push_back({from, at, rest_of(piece, rest), false});
        out.push_back({at, next, rule, true});
        from = next;
      }
      at = next;
    }
    if (from < piece.end) out.push_back({from, piece.end, rest_of(piece, rest), false});
  });
}

}  // namespace cutaway::hf

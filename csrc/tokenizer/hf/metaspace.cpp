// Metaspace: a space as a visible character, which begins a piece.
#include "tokenizer/hf/metaspace.h"

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/hf/splitting.h"

namespace cutaway::hf {
namespace {

class Spaces final : public Cutter {
 public:
  explicit Spaces(const Part& part) : rule_(part) {}

  void apply(CutText& cut) const override {
    rewrite_pieces(cut, [&](std::string_view text, const Pretoken& piece, Rewriter& out) {
      if (prepends(cut, piece)) out.replace(piece.begin, piece.begin, rule_.mark);
      for (uint32_t i = piece.begin; i < piece.end; ++i) {
        if (text[i] == ' ') out.replace(i, i + 1, rule_.mark);
      }
    });
    if (!rule_.split) return;
    const std::string_view marked = cut.text.view();
    cut_each(cut, Behavior::merged_with_next, [&](const Pretoken& piece, std::vector<Stretch>& to) {
      const std::string_view whole = marked.substr(0, piece.end);
      for (uint32_t at = piece.begin; at < piece.end;) {
        const size_t found = std::min<size_t>(whole.find(rule_.mark, at), piece.end);
        if (at < found)
          to.push_back({at, static_cast<uint32_t>(found), rest_of(piece, Rule::metaspace), false});
        if (found == piece.end) break;
        at = static_cast<uint32_t>(found + rule_.mark.size());
        to.push_back({static_cast<uint32_t>(found), at, rest_of(piece, Rule::metaspace), true});
      }
    });
  }

 private:
  bool prepends(const CutText& cut, const Pretoken& piece) const {
    const std::string_view text = cut.text.view().substr(piece.begin, piece.end - piece.begin);
    if (text[0] == ' ' || text.substr(0, rule_.mark.size()) == rule_.mark) return false;
    if (rule_.prepend == Metaspace::Prepend::first) return cut.text.origin(piece.begin, piece.end).begin == 0;
    return rule_.prepend == Metaspace::Prepend::always;
  }

  Metaspace rule_;
};

}  // namespace

Metaspace::Metaspace(const Part& part) {
  part.character("replacement");
  mark = part.string("replacement");
  const std::string scheme = part.string("prepend_scheme", "always");
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    part.fail(
        text("member 'prepend_scheme' is '{}', expected always, first or never", format::shown(scheme)));
  }
  prepend = scheme == "always" ? Prepend::always : scheme == "first" ? Prepend::first : Prepend::never;
  if (!part.boolean("add_prefix_space", true) && prepend != Prepend::never) {  // the older spelling of it
    if (part.has("prepend_scheme"))
      part.fail("members 'add_prefix_space' and 'prepend_scheme' contradict each other");
    part.fail("member 'add_prefix_space' is false, expected \"prepend_scheme\": \"never\" beside it");
  }
  split = part.boolean("split", true);
  part.ignore("str_rep");  // `replacement` once more, in older files
}

std::unique_ptr<Cutter> make_cutter_metaspace(const Part& part) { return std::make_unique<Spaces>(part); }

}  // namespace cutaway::hf

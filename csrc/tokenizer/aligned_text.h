// A text that is rewritten on its way to the model, each byte of which knows the bytes of the given text it
// came from.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cutaway {

struct Span {
  uint32_t begin, end;  // bytes of the text that was given
};

// A text may grow as files in use make it grow, which is three times; what grows far beyond is stopped, so
// that a file cannot ask for all memory. FormatError where it does.
void check_growth(size_t given, size_t made);

class AlignedText {
 public:
  // `given` lies at byte `at` of the whole text, and must outlive this for as long as nothing changes it.
  AlignedText(std::string_view given, uint32_t at) : given_(given), at_(at) {}

  std::string_view view() const { return changed_ ? std::string_view(own_) : given_; }
  AlignedText slice(size_t begin, size_t end) const;  // may look into this one
  // The bytes of the given text that bytes [begin, end) came from; an empty range, or one of insertions, has
  // an empty span where it stands.
  Span origin(size_t begin, size_t end) const;

 private:
  friend class Rewriter;
  std::string_view given_;
  uint32_t at_;
  bool changed_ = false;
  std::string own_;
  std::vector<Span> origin_;  // one for each byte of own_
};

// Rewrites a text from left to right. Where nothing differs, nothing is copied.
class Rewriter {
 public:
  explicit Rewriter(AlignedText& text) : text_(text), from_(text.view()) {}

  void keep(size_t end);  // everything up to `end`
  // Keeps everything up to `begin` and puts `with` where [begin, end) was.
  void replace(size_t begin, size_t end, std::string_view with);
  size_t size() const { return differs_ ? own_.size() : done_; }  // of the new text so far
  void finish();                                                  // keeps the rest; the text is the new one

 private:
  void differ();

  AlignedText& text_;
  std::string_view from_;
  size_t done_ = 0;
  bool differs_ = false;
  std::string own_;
  std::vector<Span> origin_;
};

}  // namespace cutaway

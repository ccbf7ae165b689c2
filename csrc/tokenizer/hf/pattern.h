// What Split and Replace look for: a string, a pattern that has a hand-written scanner, or any other regular
// expression, for which an engine is called.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/aligned_text.h"
#include "tokenizer/hf/part.h"
#include "tokenizer/pretokenize.h"

namespace cutaway::hf {

class Pattern {
 public:
  virtual ~Pattern() = default;
  // Appends every match in `text`, from left to right; none overlaps another. An empty match is one too, but
  // for one that touches the match before it (as Oniguruma's iterator has it).
  virtual void find(std::string_view text, std::vector<Pretoken>& out) const = 0;
  // Compiles what find() needs, where the file is read: before the first call of it. A pattern that a scanner
  // stands in for together with others is never searched, and needs no engine.
  virtual void prepare() {}
  // The scanner that it is, which covers every text without gaps; or none.
  virtual Pretokenizer scanner() const { return {}; }
  virtual std::string_view expression() const { return {}; }  // of a regular expression: as the file has it
};

// {"String": "..."} or {"Regex": "..."}
std::shared_ptr<Pattern> read_pattern(const Part& owner, std::string_view name);
std::shared_ptr<Pattern> regex_pattern(const std::string& expression);
std::shared_ptr<Pattern> literal_pattern(std::string literal);
// The scanner that does these steps (as Cutter::step names them) in one; or none.
Pretokenizer scanner_of(const std::vector<std::string_view>& steps);

// An engine for expressions: compiles one, and gives a function that appends all matches of a text. It is set
// once, by the binding; without one, such an expression is an UnsupportedError.
using Search = std::function<void(std::string_view text, std::vector<Span>& out)>;
using RegexEngine = std::function<Search(const std::string& expression)>;
void set_regex_engine(RegexEngine engine);

}  // namespace cutaway::hf

#include "tokenizer/hf/pattern.h"

#include "core/error.h"
#include "format/utf8.h"

namespace cutaway::hf {
namespace {

struct Known {
  const char *name, *expression;
};
constexpr Known kKnown[] = {
#define SPLIT_PATTERN(name, expression) {name, expression},
#include "tokenizer/split_patterns.def"
#undef SPLIT_PATTERN
};

class Literal final : public Pattern {
 public:
  explicit Literal(std::string literal) : literal_(std::move(literal)) {}
  void find(std::string_view text, std::vector<Pretoken>& out) const override {
    for (size_t at = text.find(literal_); at != text.npos; at = text.find(literal_, at + literal_.size())) {
      out.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(at + literal_.size()), Rule::pattern});
    }
  }

 private:
  std::string literal_;
};

class Scanned final : public Pattern {
 public:
  explicit Scanned(Pretokenizer scan) : scan_(scan) {}
  void find(std::string_view text, std::vector<Pretoken>& out) const override { scan_(text, out); }
  Pretokenizer scanner() const override { return scan_; }

 private:
  Pretokenizer scan_;
};

class Searched final : public Pattern {
 public:
  explicit Searched(Search search) : search_(std::move(search)) {}
  void find(std::string_view text, std::vector<Pretoken>& out) const override {
    std::vector<Span> found;
    search_(text, found);
    for (const Span& span : found) out.push_back({span.begin, span.end, Rule::pattern});
  }

 private:
  Search search_;
};

RegexEngine& engine() {
  static RegexEngine one;
  return one;
}

}  // namespace

void set_regex_engine(RegexEngine given) { engine() = std::move(given); }

std::shared_ptr<const Pattern> literal_pattern(std::string literal) {
  return std::make_shared<Literal>(std::move(literal));
}

std::shared_ptr<const Pattern> regex_pattern(const std::string& expression) {
  for (const Known& known : kKnown) {
    if (expression != known.expression) continue;
    if (const Pretokenizer scan = find_pretokenizer(known.name)) return std::make_shared<Scanned>(scan);
  }
  if (!engine()) {
    throw UnsupportedError(
        text("the regular expression '{}' needs an engine, and none is set", format::shown(expression)));
  }
  return std::make_shared<Searched>(engine()(expression));
}

std::shared_ptr<const Pattern> read_pattern(const Part& owner, std::string_view name) {
  const Part given = owner.part(name);
  const bool literal = given.has("String");
  if (literal == given.has("Regex")) given.fail("expected one member, 'String' or 'Regex'");
  const std::string expression = given.string(literal ? "String" : "Regex");
  given.end();
  if (expression.empty()) given.unsupported("is empty, which matches between all characters");
  return literal ? literal_pattern(expression) : regex_pattern(expression);
}

}  // namespace cutaway::hf

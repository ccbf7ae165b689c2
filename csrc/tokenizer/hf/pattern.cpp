#include "tokenizer/hf/pattern.h"

#include <algorithm>
#include <iterator>

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/hf/cutter.h"

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

struct Steps {
  const char* name;
  std::string_view steps[7];  // the rest are empty
};
constexpr Steps kSteps[] = {
#define SPLIT_STEPS(name, ...) {name, {__VA_ARGS__}},
#include "tokenizer/split_steps.def"
#undef SPLIT_STEPS
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
  Scanned(Pretokenizer scan, std::string expression) : scan_(scan), expression_(std::move(expression)) {}
  void find(std::string_view text, std::vector<Pretoken>& out) const override { scan_(text, out); }
  Pretokenizer scanner() const override { return scan_; }
  std::string_view expression() const override { return expression_; }

 private:
  Pretokenizer scan_;
  std::string expression_;
};

RegexEngine& engine() {
  static RegexEngine one;
  return one;
}

class Searched final : public Pattern {
 public:
  explicit Searched(std::string expression) : expression_(std::move(expression)) {}
  void prepare() override {
    if (search_) return;
    if (!engine()) {
      throw UnsupportedError(
          text("the regular expression '{}' needs an engine, and none is set", format::shown(expression_)));
    }
    search_ = engine()(expression_);
  }
  void find(std::string_view text, std::vector<Pretoken>& out) const override {
    std::vector<Span> found;
    search_(text, found);
    for (const Span& span : found) out.push_back({span.begin, span.end, Rule::pattern});
  }
  std::string_view expression() const override { return expression_; }

 private:
  Search search_;
  std::string expression_;
};

}  // namespace

void set_regex_engine(RegexEngine given) { engine() = std::move(given); }

std::shared_ptr<Pattern> literal_pattern(std::string literal) {
  return std::make_shared<Literal>(std::move(literal));
}

std::shared_ptr<Pattern> regex_pattern(const std::string& expression) {
  for (const Known& known : kKnown) {
    if (expression != known.expression) continue;
    if (const Pretokenizer scan = find_pretokenizer(known.name))
      return std::make_shared<Scanned>(scan, expression);
  }
  return std::make_shared<Searched>(expression);
}

Pretokenizer scanner_of(const std::vector<std::string_view>& steps) {
  for (const Steps& known : kSteps) {
    const auto* end = std::find(std::begin(known.steps), std::end(known.steps), std::string_view());
    if (std::equal(std::begin(known.steps), end, steps.begin(), steps.end())) {
      return find_pretokenizer(known.name);
    }
  }
  return {};
}

std::shared_ptr<Pattern> read_pattern(const Part& owner, std::string_view name) {
  const Part given = owner.part(name);
  const bool literal = given.has("String");
  if (literal == given.has("Regex")) given.fail("expected one member, 'String' or 'Regex'");
  const std::string expression = given.string(literal ? "String" : "Regex");
  given.end();
  if (expression.empty()) given.unsupported("is empty, which matches between all characters");
  return literal ? literal_pattern(expression) : regex_pattern(expression);
}

}  // namespace cutaway::hf

// A strict JSON reader (RFC 8259) that is pulled: the caller says what it expects next, nothing is built that
// nobody asked for. Refused: bytes that are not UTF-8, lone surrogates in \u escapes, control characters in
// strings, a name twice in one object, nesting deeper than 64, NaN and Infinity, anything after the value.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "format/file.h"

namespace cutaway::format {

enum class JsonKind { object, array, string, number, boolean, null };
const char* name_of(JsonKind kind);  // "an object", ...

// Integers are exact: int64_t where they fit, else uint64_t; with a fraction, an exponent or more digits,
// double.
using JsonNumber = std::variant<int64_t, uint64_t, double>;

// Copies are cheap and independent: copy the reader to look ahead.
class JsonReader {
 public:
  // `text` must outlive the reader; `file` is for messages; offsets in messages start at `base`.
  JsonReader(std::string_view text, std::string_view file, uint64_t base = 0)
      : text_(text), file_(file), base_(base) {}

  JsonKind peek();  // the kind of the next value
  std::string string();
  JsonNumber number();
  bool boolean();
  void null();
  uint64_t unsigned_integer(const char* what);  // FormatError unless an integer >= 0
  void skip();                                  // checks the next value and drops it
  std::string_view raw();                       // the same; returns its text
  void end();                                   // nothing but white space may follow
  // Leaves out the search for double names, when another pass over the same text has done it.
  void names_are_checked() { check_names_ = false; }

  // Calls member(name) for each member of the next value, which must be an object; member reads the value.
  template <class Member>
  void object(Member member) {
    open('{', JsonKind::object);
    Names names;
    for (bool more = !closes('}'); more; more = goes_on('}')) {
      const std::string name = member_name(names);
      member(name);
    }
    check_unique(names);
    --depth_;
  }

  // Calls element() for each element of the next value, which must be an array; element reads it.
  template <class Element>
  void array(Element element) {
    open('[', JsonKind::array);
    for (bool more = !closes(']'); more; more = goes_on(']')) element();
    --depth_;
  }

  [[noreturn]] void fail(const std::string& problem) const { fail_at(at_, problem); }
  [[noreturn]] void fail_at(size_t at, const std::string& problem) const;

 private:
  // The names of one object; doubles are found by sorting at its end. A name without escapes is a piece of
  // the text, so that a large object costs eight bytes a name.
  struct Names {
    struct Name {
      uint32_t at;    // in the text, or in `decoded`
      uint32_t size;  // kDecoded: in `decoded`
    };
    std::vector<Name> all;
    std::vector<std::string> decoded;
  };
  static constexpr uint32_t kDecoded = UINT32_MAX;

  void space();
  void expect(char c);
  void expect_word(std::string_view word);
  void open(char bracket, JsonKind kind);
  bool closes(char bracket);
  bool goes_on(char bracket);
  uint32_t hex4();
  void escape(std::string* out);
  void characters(std::string* out);  // a string; out may be nullptr
  std::string_view number_text(bool* integer);
  std::string member_name(Names& names);
  void check_unique(Names& names) const;

  std::string_view text_;
  std::string_view file_;
  uint64_t base_;
  size_t at_ = 0;
  int depth_ = 0;
  bool check_names_ = true;
};

// The whole of a JSON file, at most kMaxJsonBytes long.
constexpr uint64_t kMaxJsonBytes = 100'000'000;  // safetensors' own limit for its header
std::string read_json_text(const File& file);

}  // namespace cutaway::format

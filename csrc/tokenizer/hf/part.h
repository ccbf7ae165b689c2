// One object of a tokenizer.json, read member by member. Whoever reads it says what each member must be;
// end() refuses members that nobody asked for, because they might change the ids.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/json.h"

namespace cutaway::hf {

struct Source {
  std::string path;  // for messages, shown() already
  std::string text;
};

class Part {
 public:
  // json: the text of an object, within source.text. place: where it stands ("normalizer").
  Part(const Source& source, std::string_view json, std::string place);

  const std::string& place() const { return place_; }
  const std::string& path() const { return source_->path; }
  bool has(std::string_view name) const;  // there, and not null
  bool has_any(std::string_view name) const { return find(name) != nullptr; }

  // A member that is missing is an error where there is no fallback; null is as missing.
  std::string string(std::string_view name) const;
  std::string string(std::string_view name, std::string_view fallback) const;
  std::optional<std::string> optional_string(std::string_view name) const;
  char32_t character(std::string_view name) const;  // a string of one character
  bool boolean(std::string_view name) const;
  bool boolean(std::string_view name, bool fallback) const;
  uint64_t integer(std::string_view name) const;
  double number(std::string_view name) const;
  Part part(std::string_view name) const;
  std::vector<Part> parts(std::string_view name) const;    // an array of objects
  format::JsonReader reader(std::string_view name) const;  // at the value of a member that must be there
  void ignore(std::string_view name) const;                // may be there, and means nothing to the ids
  void end() const;

  std::string type() const;                                       // member "type", "" where there is none
  [[noreturn]] void fail(std::string_view problem) const;         // FormatError: path, place, problem
  [[noreturn]] void unsupported(std::string_view problem) const;  // UnsupportedError, the same

 private:
  struct Member {
    std::string name;
    std::string_view json;
    mutable bool read = false;
  };
  const Member* find(std::string_view name) const;
  const Member& get(std::string_view name) const;
  std::string below(std::string_view name) const;
  format::JsonReader at(const Member& member) const;

  const Source* source_;
  std::string place_;
  std::vector<Member> members_;
};

}  // namespace cutaway::hf

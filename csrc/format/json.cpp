#include "format/json.h"

#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "format/utf8.h"

namespace cutaway::format {
namespace {

constexpr int kMaxDepth = 64;

bool digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& out, uint32_t c) {
  const auto put = [&](uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6)), put(0x80 | (c & 63));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12)), put(0x80 | ((c >> 6) & 63)), put(0x80 | (c & 63));
  } else {
    put(0xF0 | (c >> 18)), put(0x80 | ((c >> 12) & 63)), put(0x80 | ((c >> 6) & 63)), put(0x80 | (c & 63));
  }
}

}  // namespace

const char* name_of(JsonKind kind) {
  switch (kind) {
    case JsonKind::object:
      return "an object";
    case JsonKind::array:
      return "an array";
    case JsonKind::string:
      return "a string";
    case JsonKind::number:
      return "a number";
    case JsonKind::boolean:
      return "true or false";
    case JsonKind::null:
      break;
  }
  return "null";
}

void JsonReader::fail_at(size_t at, const std::string& problem) const {
  throw FormatError(text("{}: JSON at offset {}: {}", shown(file_), base_ + at, problem));
}

void JsonReader::space() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
    ++at_;
  }
}

void JsonReader::expect(char c) {
  if (at_ < text_.size() && text_[at_] == c) {
    ++at_;
    return;
  }
  if (at_ == text_.size()) fail(text("the text ends, expected '{}'", c));
  fail(text("'{}', expected '{}'", shown(text_.substr(at_, 1)), c));
}

void JsonReader::expect_word(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) fail(text("not a JSON value; expected '{}'", word));
  at_ += word.size();
}

JsonKind JsonReader::peek() {
  space();
  if (at_ == text_.size()) fail("the text ends, expected a value");
  const char c = text_[at_];
  switch (c) {
    case '{':
      return JsonKind::object;
    case '[':
      return JsonKind::array;
    case '"':
      return JsonKind::string;
    case 't':
    case 'f':
      return JsonKind::boolean;
    case 'n':
      return JsonKind::null;
    default:
      break;
  }
  if (c == '-' || digit(c)) return JsonKind::number;
  fail(text("'{}', expected a value", shown(text_.substr(at_, 1))));
}

void JsonReader::open(char bracket, JsonKind kind) {
  const JsonKind found = peek();
  if (found != kind) fail(text("found {}, expected {}", name_of(found), name_of(kind)));
  if (++depth_ > kMaxDepth) fail(text("nested deeper than {} levels", kMaxDepth));
  expect(bracket);
}

bool JsonReader::closes(char bracket) {
  space();
  if (at_ == text_.size() || text_[at_] != bracket) return false;
  ++at_;
  return true;
}

bool JsonReader::goes_on(char bracket) {
  if (closes(bracket)) return false;
  if (at_ == text_.size() || text_[at_] != ',') fail(text("expected ',' or '{}'", bracket));
  ++at_;
  return true;
}

uint32_t JsonReader::hex4() {
  uint32_t out = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    const char lower = static_cast<char>(c | 0x20);
    if (!digit(c) && !(lower >= 'a' && lower <= 'f')) fail("expected four hexadecimal digits after \\u");
    out = out * 16 + static_cast<uint32_t>(digit(c) ? c - '0' : lower - 'a' + 10);
  }
  return out;
}

void JsonReader::escape(std::string* out) {
  const size_t begin = at_++;  // at the backslash
  const char c = at_ < text_.size() ? text_[at_++] : '\0';
  static constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
  if (const size_t i = kFrom.find(c); i != std::string_view::npos) {
    if (out) *out += kTo[i];
    return;
  }
  if (c != 'u') fail_at(begin, "an unknown escape in a string");
  uint32_t point = hex4();
  if (point >= 0xD800 && point < 0xE000) {
    if (point >= 0xDC00 || text_.substr(at_, 2) != "\\u") fail_at(begin, "a lone surrogate in a string");
    at_ += 2;
    const uint32_t low = hex4();
    if (low < 0xDC00 || low >= 0xE000) fail_at(begin, "a lone surrogate in a string");
    point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
  }
  if (out) append_utf8(*out, point);
}

void JsonReader::characters(std::string* out) {
  const size_t begin = at_;
  expect('"');
  while (true) {
    size_t stop = at_;  // a run of plain ASCII is taken at once
    while (stop < text_.size() && text_[stop] >= 0x20 && text_[stop] < 0x7F && text_[stop] != '"' &&
           text_[stop] != '\\') {
      ++stop;
    }
    if (out) out->append(text_, at_, stop - at_);
    at_ = stop;
    if (at_ == text_.size()) fail_at(begin, "a string that does not end");
    const char c = text_[at_];
    if (c == '"') break;
    if (c == '\\') {
      escape(out);
      continue;
    }
    const size_t n = utf8_sequence(text_.substr(at_, 4));
    if (n == 0) fail("a string with bytes that are not UTF-8");
    if (static_cast<unsigned char>(c) < 0x20) fail("a control character in a string, expected an escape");
    if (out) out->append(text_, at_, n);
    at_ += n;
  }
  ++at_;
}

std::string JsonReader::string() {
  const JsonKind found = peek();
  if (found != JsonKind::string) fail(text("found {}, expected a string", name_of(found)));
  std::string out;
  characters(&out);
  return out;
}

std::string_view JsonReader::number_text(bool* integer) {
  const size_t begin = at_;
  const auto digits = [&] {
    if (at_ == text_.size() || !digit(text_[at_])) fail_at(begin, "not a number as JSON writes them");
    while (at_ < text_.size() && digit(text_[at_])) ++at_;
  };
  const auto is = [&](std::string_view any) {
    return at_ < text_.size() && any.find(text_[at_]) != any.npos;
  };
  *integer = true;
  if (is("-")) ++at_;
  if (is("0")) {
    ++at_;
    if (is("0123456789")) fail_at(begin, "a number that starts with 0");
  } else {
    digits();
  }
  if (is(".")) {
    *integer = false;
    ++at_;
    digits();
  }
  if (is("eE")) {
    *integer = false;
    ++at_;
    if (is("+-")) ++at_;
    digits();
  }
  return text_.substr(begin, at_ - begin);
}

JsonNumber JsonReader::number() {
  const JsonKind found = peek();
  if (found != JsonKind::number) fail(text("found {}, expected a number", name_of(found)));
  const size_t begin = at_;
  bool integer = false;
  const std::string_view t = number_text(&integer);
  const char* const last = t.data() + t.size();
  int64_t i = 0;
  if (integer && std::from_chars(t.data(), last, i).ec == std::errc()) return i;
  uint64_t u = 0;
  if (integer && t[0] != '-' && std::from_chars(t.data(), last, u).ec == std::errc()) return u;
  double d = 0;
  const auto [rest, error] = std::from_chars(t.data(), last, d);
  if (error != std::errc() || rest != last) {
    fail_at(begin, text("{} is outside the range of a 64-bit float", shown(t, 40)));
  }
  return d;
}

uint64_t JsonReader::unsigned_integer(const char* what) {
  const JsonKind found = peek();
  const size_t begin = at_;
  if (found == JsonKind::number) {
    const JsonNumber value = number();
    if (const auto* i = std::get_if<int64_t>(&value); i && *i >= 0) return static_cast<uint64_t>(*i);
    if (const auto* u = std::get_if<uint64_t>(&value)) return *u;
    fail_at(begin, text("{} is {}, expected an integer from 0 to 2^64 - 1", what,
                        shown(text_.substr(begin, at_ - begin), 40)));
  }
  fail(text("{} is {}, expected an integer >= 0", what, name_of(found)));
}

bool JsonReader::boolean() {
  const JsonKind found = peek();
  if (found != JsonKind::boolean) fail(text("found {}, expected true or false", name_of(found)));
  const bool value = text_[at_] == 't';
  expect_word(value ? "true" : "false");
  return value;
}

void JsonReader::null() {
  const JsonKind found = peek();
  if (found != JsonKind::null) fail(text("found {}, expected null", name_of(found)));
  expect_word("null");
}

void JsonReader::skip() {
  switch (peek()) {
    case JsonKind::object:
      return object([&](const std::string&) { skip(); });
    case JsonKind::array:
      return array([&] { skip(); });
    case JsonKind::string:
      return characters(nullptr);
    case JsonKind::number:
      number();
      return;
    case JsonKind::boolean:
      boolean();
      return;
    case JsonKind::null:
      return null();
  }
}

std::string_view JsonReader::raw() {
  space();
  const size_t begin = at_;
  skip();
  return text_.substr(begin, at_ - begin);
}

void JsonReader::end() {
  space();
  if (at_ != text_.size()) fail("more text after the value; expected the end");
}

std::string JsonReader::member_name(Names& names) {
  space();
  const size_t begin = at_;
  std::string name = string();
  const size_t end = at_;
  space();
  expect(':');
  if (!check_names_) return name;
  const bool plain = end - begin - 2 == name.size();  // every escape is longer than what it stands for
  if (plain) {
    names.all.push_back({static_cast<uint32_t>(begin + 1), static_cast<uint32_t>(name.size())});
  } else {
    names.all.push_back({static_cast<uint32_t>(names.decoded.size()), kDecoded});
    names.decoded.push_back(name);
  }
  return name;
}

void JsonReader::check_unique(Names& names) const {
  using Name = Names::Name;
  const auto view = [&](const Name& name) {
    return name.size == kDecoded ? std::string_view(names.decoded[name.at])
                                 : text_.substr(name.at, name.size);
  };
  std::sort(names.all.begin(), names.all.end(),
            [&](const Name& a, const Name& b) { return view(a) < view(b); });
  for (size_t i = 1; i < names.all.size(); ++i) {
    if (view(names.all[i - 1]) == view(names.all[i])) {
      fail(text("the object that ends here has the name '{}' twice", shown(view(names.all[i]))));
    }
  }
}

std::string read_json_text(const File& file) {
  if (file.size() > kMaxJsonBytes) {
    throw FormatError(
        text("{}: {} bytes of JSON, expected at most {}", shown(file.path()), file.size(), kMaxJsonBytes));
  }
  std::string out(static_cast<size_t>(file.size()), '\0');
  file.read(0, out.size(), out.data());
  return out;
}

}  // namespace cutaway::format

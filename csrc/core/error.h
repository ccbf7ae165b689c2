// The exceptions of the engine. Every message says what, got, expected, what to do, in the user's words;
// the binding maps each class to its Python twin (cutaway/errors.py).
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace cutaway {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct FormatError : Error {
  using Error::Error;
};  // a file that is not what it should be
struct UnsupportedError : FormatError {
  using FormatError::FormatError;
};  // sound, but of a kind we do not read
struct ArgumentError : Error {
  using Error::Error;
};  // a call that cannot be carried out as asked
struct MemoryLimitError : Error {
  using Error::Error;
};  // more memory than there is

namespace detail {
inline void fill(std::ostringstream& out, std::string_view pattern) { out << pattern; }
template <class T, class... Rest>
void fill(std::ostringstream& out, std::string_view pattern, const T& value, const Rest&... rest) {
  const size_t hole = pattern.find("{}");
  if (hole == std::string_view::npos) {
    out << pattern;
    return;
  }
  out << pattern.substr(0, hole) << value;
  fill(out, pattern.substr(hole + 2), rest...);
}
}  // namespace detail

// text("expected {} rows, got {}", 3, n): each {} takes the next value. (g++ 12 has no <format>.)
template <class... Args>
std::string text(std::string_view pattern, const Args&... args) {
  std::ostringstream out;
  detail::fill(out, pattern, args...);
  return out.str();
}

}  // namespace cutaway

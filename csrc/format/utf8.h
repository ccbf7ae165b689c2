// UTF-8 of names that come from a file: a check, and a form that is safe to put into a message.
#pragma once
#include <string>
#include <string_view>

namespace cutaway::format {

// Length in bytes of the well-formed sequence that starts s, or 0. Well-formed as in Unicode table 3-7: no
// overlong forms, no surrogates, nothing above U+10FFFF.
size_t utf8_sequence(std::string_view s);
bool valid_utf8(std::string_view s);

// For messages: control characters and bytes that are not UTF-8 as \xNN, cut after about `limit` bytes.
std::string shown(std::string_view s, size_t limit = 400);

}  // namespace cutaway::format

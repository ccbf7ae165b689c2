// Extended grapheme clusters (UAX #29, Unicode 17): what a reader takes for one character.
#pragma once
#include <cstddef>
#include <string_view>

namespace cutaway {

// Where the cluster that begins at byte `at` ends. A byte that is no character is a cluster of its own.
size_t grapheme_end(std::string_view text, size_t at);

}  // namespace cutaway

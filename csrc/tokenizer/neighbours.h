// Which bytes stand side by side in the tokens of a byte-level vocabulary, around the borders of characters
// beyond ASCII: elsewhere nearly any two do. Where the neighbours of a border in a text stand in no token, no
// merge reaches over it, and the two sides can be encoded each by itself.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "tokenizer/flat_strings.h"

namespace cutaway {

class Neighbours {
 public:
  static constexpr int kAroundBits = 23;
  static constexpr size_t kTwoWords = 256 * 256 / 64, kAroundWords = (size_t{1} << kAroundBits) / 64;
  static constexpr size_t kWords = kTwoWords + kAroundWords;  // of 64 bits: 1 MiB and a little

  explicit Neighbours(const FlatStrings& tokens);
  // Those that were noted before. bits: [kWords]
  explicit Neighbours(std::shared_ptr<const uint64_t[]> bits) : bits_(std::move(bits)) {}

  // May a merge reach over the border before byte `at` of text? false is certain: no token has these
  // neighbours. true says nothing, as it does within characters and between two of ASCII.
  bool may_cross(std::string_view text, size_t at) const;
  const std::shared_ptr<const uint64_t[]>& bits() const { return bits_; }

 private:
  std::shared_ptr<const uint64_t[]> bits_;  // two sets: of the 2 bytes at a border, and hashes of 4 to 6
};

}  // namespace cutaway

// Tokens that match as they stand, before anything else looks at the text: the longest at the leftmost place,
// as SentencePiece's prefix matcher and Hugging Face's added tokens have it.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace cutaway {

class AddedTokens {
 public:
  struct Token {
    std::string_view spelling;  // must outlive this object; an empty one never matches
    int32_t id;
  };
  AddedTokens() = default;
  explicit AddedTokens(std::vector<Token> tokens);

  struct Match {
    size_t begin, end;  // bytes; begin == npos: none
    int32_t id;
  };
  Match find(std::string_view text, size_t from) const;

 private:
  size_t next_start(std::string_view text, size_t from) const;
  std::vector<Token> tokens_;  // sorted: those that share a prefix stand together, the shortest first
  bool starts_[256] = {};
};

}  // namespace cutaway

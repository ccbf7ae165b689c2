// Added tokens, as the Hugging Face library finds them: some in the text as it is given, some in what the
// normaliser makes of it; each may ask to be a word of its own, or take the white space beside it.
#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/hf/part.h"

namespace cutaway::hf {

struct AddedToken {
  int32_t id;
  std::string content;
  std::string seen;  // what is looked for: the content, or what the normaliser makes of it
  bool single_word, lstrip, rstrip, normalized, special;
};

AddedToken plain_special(int32_t id, std::string content);
// The members of one entry; `id` is read where the entry has it.
AddedToken read_added(const Part& part, int32_t id);

class AddedSet {
 public:
  AddedSet() = default;
  AddedSet(AddedSet&&) = default;  // the matcher points into the tokens
  AddedSet& operator=(AddedSet&&) = default;
  explicit AddedSet(
      std::vector<AddedToken> tokens);  // in the order of the file; of one content the last counts

  struct Found {
    size_t begin, end;
    int32_t id;  // -1: text
  };
  // What `text` consists of, in order, without gaps. special: tokens marked special count too.
  void find(std::string_view text, bool special, std::vector<Found>& out) const;

 private:
  std::vector<AddedToken> tokens_;
  std::unordered_map<int32_t, size_t> by_id_;
  AddedTokens matcher_;
};

}  // namespace cutaway::hf

// The rank files that everybody uses: how text is cut and which special tokens there are, neither of which
// the file says.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace cutaway {

struct SpecialToken {
  std::string spelling;
  int32_t id;
  const char* role = nullptr;  // "eos" and the like, as GGUF names them
};

struct KnownRanks {
  std::string name;
  std::string sha256;  // of the file
  const char* pre;     // its pre-tokenizer
  std::vector<SpecialToken> (*specials)();
};

// Of those that share a file, the one that a file alone stands for comes first.
const std::vector<KnownRanks>& known_ranks();

}  // namespace cutaway

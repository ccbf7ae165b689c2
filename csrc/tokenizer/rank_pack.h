// The packed cache of the known encodings: what reading a rank file comes to, in a file of cutaway's own
// cache that is read in a few milliseconds. Nothing in it is believed that its checksum, its lengths and the
// encoding's special tokens do not bear out; whatever is wrong with it, the ranks are read anew.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/flat_strings.h"
#include "tokenizer/known_ranks.h"
#include "tokenizer/neighbours.h"

namespace cutaway {

struct PackedRanks {
  std::string path;   // the rank file that they were read from
  FlatStrings bytes;  // of each id, special tokens as they are spelled; "": stands for nothing
  Neighbours neighbours;
};

// Nothing where there is no sound one.
std::optional<PackedRanks> read_rank_pack(const std::string& folder, const KnownRanks& known);
// Where the folder cannot be written to, or another process is at it, nothing happens.
void write_rank_pack(const std::string& folder, const KnownRanks& known, const PackedRanks& ranks);

constexpr const char* kRankPackSuffix = ".tokenizer.pack";  // behind the name of the encoding
// For people: "ready" | "other version" | "damaged".
const char* report_rank_pack(const std::string& path);

}  // namespace cutaway

// From bytes to ids: strings in one array, and the table over them.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/byte_index.h"
#include "tokenizer/flat_strings.h"

namespace cutaway {
namespace {

using Words = std::vector<std::string>;
constexpr std::pair<int32_t, int32_t> kNone{-1, -1};

TEST(FlatStrings, AreWhatWasGiven) {
  const Words words{"", "a", "", std::string("\0\xFF", 2), "the whole of it", ""};
  const FlatStrings flat(words), copy = flat;
  ASSERT_EQ(flat.size(), words.size());
  for (size_t i = 0; i < words.size(); ++i) {
    EXPECT_EQ(flat[i], words[i]);
    EXPECT_EQ(flat.length(i), words[i].size());
    EXPECT_EQ(copy[i].data(), flat[i].data());  // shared
  }
  EXPECT_EQ(flat.bytes(), 18u);
  EXPECT_EQ(FlatStrings(Words{}).size(), 0u);
  EXPECT_EQ(FlatStrings().bytes(), 0u);
}

TEST(TokenIndex, FindsTokensOfEveryLength) {
  std::mt19937 random(1);
  Words words;
  std::map<std::string, int32_t> known;
  for (int i = 0; i < 5000; ++i) {
    std::string word(1 + random() % 40, '\0');
    for (char& c : word) c = static_cast<char>("ab\xC3\x00"[random() % 4]);
    known.emplace(word, i);  // the lower of two ids stays
    words.push_back(word);
  }
  const TokenIndex index(words);
  for (const auto& [word, id] : known) EXPECT_EQ(index.find(word), id);
  for (int i = 0; i < 5000; ++i) {
    std::string word(1 + random() % 12, '\0');
    for (char& c : word) c = static_cast<char>("ab\xC3\x00"[random() % 4]);
    const auto it = known.find(word);
    EXPECT_EQ(index.find(word), it == known.end() ? -1 : it->second);
  }
  EXPECT_EQ(index.longest(), 40u);
  EXPECT_EQ(index.find(""), -1);
  EXPECT_EQ(index.find(std::string(41, 'a')), -1);
  EXPECT_NE(index.same(), kNone);
}

TEST(TokenIndex, HidesAndTells) {
  const Words words{"a", "bc", "", "defghijkl", "bc", "m"};
  const std::vector<int32_t> hidden{3, 5};
  const TokenIndex index(words, hidden);
  EXPECT_EQ(index.find("a"), 0);
  EXPECT_EQ(index.find("bc"), 1);
  EXPECT_EQ(index.find("defghijkl"), -1);
  EXPECT_EQ(index.find("m"), -1);
  EXPECT_EQ(index.bytes(3), "defghijkl");
  EXPECT_EQ(index.same(), std::pair(1, 4));
  EXPECT_EQ(index.longest(), 2u);
  EXPECT_EQ(index.all_found_below(), 2);  // the next has no bytes
  EXPECT_EQ(TokenIndex(Words{"a", "b"}).same(), kNone);
  EXPECT_EQ(TokenIndex(Words{"a", "b"}).all_found_below(), 2);
  EXPECT_EQ(TokenIndex(Words{"a", "b", "a"}).all_found_below(), 2);
  EXPECT_EQ(TokenIndex(Words{}).find("a"), -1);
}

}  // namespace
}  // namespace cutaway

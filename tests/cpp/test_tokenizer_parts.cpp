// The parts of the tokenizers, on vectors worked out by hand: UTF-8, categories, scanners, merging, added
// tokens.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/ascii_block.h"
#include "tokenizer/merge.h"
#include "tokenizer/pretokenize.h"
#include "tokenizer/unicode.h"

namespace cutaway {
namespace {

using Strings = std::vector<std::string>;

Strings cut(const char* name, std::string_view text) {
  std::vector<Pretoken> pieces;
  find_pretokenizer(name)(text, pieces);
  Strings out;
  size_t end = 0;
  for (const Pretoken& p : pieces) {
    EXPECT_EQ(p.begin, end) << "pieces must follow one another";
    end = p.end;
    out.emplace_back(text.substr(p.begin, p.end - p.begin));
  }
  EXPECT_EQ(end, text.size());
  return out;
}

// Both ways to classify 64 bytes, of every length, by their definition.
TEST(AsciiBlock, MasksSayWhatBytesAre) {
  std::mt19937 random(7);
  const std::string common = "aZ09 \t\n\r\v\f'/!~@[`{\x7F\x1F";
  for (int round = 0; round < 2000; ++round) {
    char bytes[64];
    for (char& c : bytes) c = random() % 8 ? common[random() % common.size()] : static_cast<char>(random());
    const int size = static_cast<int>(random() % 64) + 1;
    std::vector<AsciiBlock> blocks;
    if (kHasBlocks) blocks.push_back(classify(bytes, size));
    if (has_wide_blocks()) blocks.push_back(classify_wide(bytes, size));
    for (const AsciiBlock& b : blocks) {
      for (int i = 0; i < 64; ++i) {
        const unsigned char c = static_cast<unsigned char>(bytes[i]), folded = c | 0x20;
        const bool counts = i < b.size, letter = folded >= 'a' && folded <= 'z' && c < 128;
        const bool digit = c >= '0' && c <= '9', space = c == ' ' || (c >= '\t' && c <= '\r');
        EXPECT_EQ(b.letter >> i & 1, counts && letter);
        EXPECT_EQ(b.upper >> i & 1, counts && c >= 'A' && c <= 'Z');
        EXPECT_EQ(b.digit >> i & 1, counts && digit);
        EXPECT_EQ(b.space >> i & 1, counts && space);
        EXPECT_EQ(b.blank >> i & 1, counts && c == ' ');
        EXPECT_EQ(b.newline >> i & 1, counts && (c == '\n' || c == '\r'));
        EXPECT_EQ(b.apostrophe >> i & 1, counts && c == '\'');
        EXPECT_EQ(b.slash >> i & 1, counts && c == '/');
        EXPECT_EQ(b.symbol >> i & 1, counts && !letter && !digit && !space);
        if (i < b.size) EXPECT_LT(c, 128);
      }
      EXPECT_TRUE(b.size == size || static_cast<unsigned char>(bytes[b.size]) >= 128);
    }
  }
}

TEST(Unicode, StepsThroughWellFormedText) {
  const std::string text = "a\xC3\xA9\xE5\xAD\x97\xF0\x9F\x98\x80";  // a é 字 😀
  std::vector<char32_t> found;
  for (size_t i = 0; i < text.size();) {
    const Utf8Step step = utf8_step(text, i);
    EXPECT_TRUE(step.ok);
    found.push_back(step.cp);
    i += step.bytes;
  }
  EXPECT_EQ(found, (std::vector<char32_t>{'a', 0xE9, 0x5B57, 0x1F600}));
}

TEST(Unicode, ReplacesIllFormedBytesBySubparts) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(utf8_replaced("a\xFFz"), "a" + mark + "z");
  EXPECT_EQ(utf8_replaced("\xC0\xAF"), mark + mark);                        // an overlong slash
  EXPECT_EQ(utf8_replaced("\xED\xA0\x80"), mark + mark + mark);             // a surrogate
  EXPECT_EQ(utf8_replaced("\xF0\x9F\x98!"), mark + "!");                    // a cut character is one subpart
  EXPECT_EQ(utf8_replaced("\xF4\x90\x80\x80"), mark + mark + mark + mark);  // above U+10FFFF
  EXPECT_EQ(utf8_replaced(std::string_view("\0x", 2)), std::string("\0x", 2));
}

TEST(Unicode, KnowsAnUnfinishedCharacter) {
  EXPECT_EQ(utf8_unfinished(""), 0u);
  EXPECT_EQ(utf8_unfinished("abc"), 0u);
  EXPECT_EQ(utf8_unfinished("a\xC3"), 1u);
  EXPECT_EQ(utf8_unfinished("a\xF0\x9F\x98"), 3u);
  EXPECT_EQ(utf8_unfinished("\xF0\x9F\x98\x80"), 0u);
  EXPECT_EQ(utf8_unfinished("a\x80\x80"), 0u);  // continuation bytes alone never become a character
  EXPECT_EQ(utf8_unfinished("\xE0\x80"), 0u);   // neither does an overlong form
  EXPECT_EQ(utf8_unfinished("\xFF"), 0u);
}

TEST(Unicode, Categories) {
  EXPECT_EQ(category('a'), Category::Ll);
  EXPECT_EQ(category(0x4E00), Category::Lo);
  EXPECT_EQ(category(0x0967), Category::Nd);   // Devanagari one
  EXPECT_EQ(category(0x2167), Category::Nl);   // Roman eight
  EXPECT_EQ(category(0x105C0), Category::Lo);  // Todhri, new in Unicode 16
  EXPECT_EQ(category(0x10940), Category::Cn);  // Sidetic came with Unicode 17
  EXPECT_EQ(category(0xD800), Category::Cs);
  EXPECT_EQ(category(0x10FFFF), Category::Cn);
  EXPECT_EQ(category(0x110000), Category::Cn);
  std::vector<char32_t> spaces;
  for (char32_t cp = 0; cp < 0x110000; ++cp) {
    if (is_space(cp, category(cp))) spaces.push_back(cp);
  }
  EXPECT_EQ(spaces,
            (std::vector<char32_t>{9,      10,     11,     12,     13,     0x20,   0x85,   0xA0,   0x1680,
                                   0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008,
                                   0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}));
}

TEST(Pretokenize, Gpt2) {
  EXPECT_EQ(cut("gpt-2", ""), Strings{});
  EXPECT_EQ(cut("gpt-2", "Hello, world!"), (Strings{"Hello", ",", " world", "!"}));
  EXPECT_EQ(cut("gpt-2", "it's I'LL we'll''s"),
            (Strings{"it", "'s", " I", "'", "LL", " we", "'ll", "''", "s"}));
  EXPECT_EQ(cut("gpt-2", "a 12b  c"), (Strings{"a", " 12", "b", " ", " c"}));
  EXPECT_EQ(cut("gpt-2", "  x "), (Strings{" ", " x", " "}));
  EXPECT_EQ(cut("gpt-2", "\n\n\nx"), (Strings{"\n\n", "\n", "x"}));
  EXPECT_EQ(cut("gpt-2", "a\t b"), (Strings{"a", "\t", " b"}));
  EXPECT_EQ(cut("gpt-2", " \t"), (Strings{" \t"}));
  EXPECT_EQ(cut("gpt-2", "\xC2\xA0x"), (Strings{"\xC2\xA0", "x"}));  // a no-break space is no prefix
  EXPECT_EQ(cut("gpt-2",
                " \xFF\xFE"
                "a"),
            (Strings{" \xFF\xFE", "a"}));  // stray bytes are symbols
  EXPECT_EQ(cut("gpt-2",
                "e\xCC\x81"
                "a"),
            (Strings{"e", "\xCC\x81", "a"}));  // so are combining marks
}

TEST(Pretokenize, SmolLmSetsEveryDigitApart) {
  EXPECT_EQ(cut("smollm", "a 12b"), (Strings{"a", " ", "1", "2", "b"}));
  EXPECT_EQ(cut("smollm", "  7"), (Strings{"  ", "7"}));
  EXPECT_EQ(cut("smollm", "x'5s"), (Strings{"x", "'", "5", "s"}));
  EXPECT_EQ(cut("smollm", "\xC2\xBD\xE2\x85\xA7"), (Strings{"\xC2\xBD", "\xE2\x85\xA7"}));  // ½ Ⅷ
}

TEST(Pretokenize, NamesAreKnownOrNot) {
  EXPECT_FALSE(find_pretokenizer("nothing"));
  EXPECT_EQ(pretokenizer_names().substr(0, 22), "gpt-2, smollm, cl100k,");
  EXPECT_STREQ(rule_name(Rule::contraction), "contraction");
}

// Merges a word by a table from joined text to key; ids count from 100.
Strings merge_word(const std::string& word,
                   const std::map<std::pair<std::string, std::string>, double>& table,
                   Strings* log = nullptr) {
  std::vector<Symbol> row;
  for (uint32_t i = 0; i < word.size(); ++i) {
    row.push_back(
        {0, i, i + 1, static_cast<int32_t>(i) - 1, i + 1 < word.size() ? static_cast<int32_t>(i) + 1 : -1});
  }
  const auto part = [&](const Symbol& s) { return word.substr(s.begin, s.end - s.begin); };
  std::vector<MergeCandidate> heap;
  merge_pairs(
      row, heap,
      [&](const Symbol& l, const Symbol& r, Merge* merge) {
        const auto it = table.find({part(l), part(r)});
        if (it == table.end()) return false;
        *merge = {it->second, 100};
        return true;
      },
      [&](const Symbol& l, const Symbol& r, const Merge&) {
        if (log) log->push_back(part(l) + "+" + part(r));
      });
  Strings out;
  for (int32_t i = row.empty() ? -1 : 0; i >= 0; i = row[i].next) out.push_back(part(row[i]));
  return out;
}

TEST(Merge, TheSmallestKeyFirst) {
  Strings log;
  // "hug" of the textbook: u+g comes before h+u, so h+u never happens.
  EXPECT_EQ(merge_word("hugs", {{{"u", "g"}, 0}, {{"h", "u"}, 1}, {{"h", "ug"}, 2}}, &log),
            (Strings{"hug", "s"}));
  EXPECT_EQ(log, (Strings{"u+g", "h+ug"}));
}

TEST(Merge, TheLeftmostOfEquals) {
  EXPECT_EQ(merge_word("aaaaa", {{{"a", "a"}, 0}}), (Strings{"aa", "aa", "a"}));
  EXPECT_EQ(merge_word("aaaaa", {{{"a", "a"}, 0}, {{"aa", "aa"}, 1}}), (Strings{"aaaa", "a"}));
  EXPECT_EQ(merge_word("abab", {{{"a", "b"}, 3}, {{"b", "a"}, 3}}), (Strings{"ab", "ab"}));
}

TEST(Merge, AMergeMayOpenABetterOne) {
  // After the first a+b, ab+c (key -1) is better than the second a+b.
  Strings log;
  EXPECT_EQ(merge_word("abcab", {{{"a", "b"}, 5}, {{"ab", "c"}, -1}}, &log), (Strings{"abc", "ab"}));
  EXPECT_EQ(log, (Strings{"a+b", "ab+c", "a+b"}));
}

TEST(Merge, NothingToDo) {
  EXPECT_EQ(merge_word("", {}), Strings{});
  EXPECT_EQ(merge_word("x", {{{"x", "x"}, 0}}), Strings{"x"});
}

TEST(AddedTokens, TheLongestAtTheLeftmostPlace) {
  const AddedTokens tokens(
      {{"<a>>", 2}, {"b", 3}, {"", 4}, {"<a>", 1}, {"<ab", 5}, {"<a>>>>", 6}, {"\xFF", 7}});
  const auto expect = [&](std::string_view text, size_t from, size_t begin, size_t end, int32_t id) {
    const auto m = tokens.find(text, from);
    EXPECT_EQ(m.begin, begin);
    EXPECT_EQ(m.end, end);
    EXPECT_EQ(m.id, id);
  };
  expect("x<a>>b", 0, 1, 5, 2);
  expect("x<a>>b", 2, 5, 6, 3);
  expect("<a<a>", 0, 2, 5, 1);
  expect("x<a>>>", 0, 1, 5, 2);
  expect("a\xFF", 0, 1, 2, 7);
  expect("<a", 0, std::string_view::npos, std::string_view::npos, -1);
  expect("", 0, std::string_view::npos, std::string_view::npos, -1);
}

}  // namespace
}  // namespace cutaway

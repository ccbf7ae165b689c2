// Whole tokenizers over vocabularies small enough to encode by hand.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/error.h"
#include "tokenizer/tokenizer.h"

namespace cutaway {
namespace {

using Ids = std::vector<int32_t>;
using Strings = std::vector<std::string>;

void add(Metadata& m, const std::string& key, const std::string& type, decltype(MetaValue::value) value) {
  m.add("tokenizer.ggml." + key, MetaValue{type, std::move(value)});
}

// a b c Ġ ab abc Ġab <end>; merges a+b, ab+c, Ġ+ab
Metadata bpe_metadata() {
  Metadata m("hand.gguf");
  add(m, "model", "string", std::string("gpt2"));
  add(m, "pre", "string", std::string("gpt-2"));
  add(m, "tokens", "array[string]",
      Strings{"a", "b", "c", "\xC4\xA0", "ab", "abc",
              "\xC4\xA0"
              "ab",
              "<end>"});
  add(m, "token_type", "array[i32]", std::vector<int64_t>{1, 1, 1, 1, 1, 1, 1, 3});
  add(m, "merges", "array[string]", Strings{"a b", "ab c", "\xC4\xA0 ab"});
  add(m, "eos_token_id", "u32", uint64_t{7});
  return m;
}

TEST(BytePairs, EncodesByHand) {
  const auto tok = make_tokenizer(bpe_metadata());
  EXPECT_EQ(tok->encode("abcab", {}).ids, (Ids{5, 4}));
  EXPECT_EQ(tok->encode("cab abc", {}).ids, (Ids{2, 4, 3, 5}));  // ab+c (rank 1) goes before Ġ+ab (rank 2)
  EXPECT_EQ(tok->encode("b ab", {}).ids, (Ids{1, 6}));
  EXPECT_EQ(tok->encode("", {}).ids, Ids{});
  EXPECT_EQ(tok->encode("ab<end>", {false, true}).ids, (Ids{4, 7}));
  EXPECT_EQ(tok->stop_ids(), Ids{7});
  EXPECT_EQ(tok->missing_bytes().size(), 252u);
}

TEST(BytePairs, LeavesOutBytesWithoutAToken) {
  const auto tok = make_tokenizer(bpe_metadata());
  const Encoding out = tok->encode("axb", {});
  EXPECT_EQ(
      out.ids,
      Ids{4});  // a and b are neighbours then, and merge, as in the library the models were trained with
  EXPECT_EQ(out.spans[0].begin, 0u);
  EXPECT_EQ(out.spans[0].end, 3u);
  EXPECT_EQ(out.dropped, "x");
}

TEST(BytePairs, TracesEveryMerge) {
  const auto tok = make_tokenizer(bpe_metadata());
  const Encoding out = tok->encode("abc", {}, true);
  ASSERT_EQ(out.pieces.size(), 1u);
  ASSERT_EQ(out.pieces[0].merges.size(), 2u);
  EXPECT_EQ(out.pieces[0].merges[1].left, "ab");
  EXPECT_EQ(out.pieces[0].merges[1].right, "c");
  EXPECT_EQ(out.pieces[0].merges[1].key, 1.0);
  EXPECT_EQ(out.pieces[0].merges[1].id, 5);
}

// <unk> <s> ▁ a b ▁a ab ▁ab, and all byte tokens after them
Metadata spm_metadata(bool bytes) {
  Metadata m("hand.gguf");
  const std::string mark = "\xE2\x96\x81";
  Strings pieces{"<unk>", "<s>", mark, "a", "b", mark + "a", "ab", mark + "ab"};
  std::vector<int64_t> types{2, 3, 1, 1, 1, 1, 1, 1};
  std::vector<double> scores{0, 0, -9, -8, -7, -2, -1, -3};
  for (int b = 0; bytes && b < 256; ++b) {
    const char* digits = "0123456789ABCDEF";
    pieces.push_back(std::string("<0x") + digits[b / 16] + digits[b % 16] + ">");
    types.push_back(6);
    scores.push_back(0);
  }
  add(m, "model", "string", std::string("llama"));
  add(m, "tokens", "array[string]", pieces);
  add(m, "token_type", "array[i32]", types);
  add(m, "scores", "array[f32]", scores);
  add(m, "bos_token_id", "u32", uint64_t{1});
  return m;
}

TEST(SentencePieces, EncodesByHand) {
  const auto tok = make_tokenizer(spm_metadata(true));
  EXPECT_EQ(tok->encode("ab", {}).ids, Ids{7});           // a+b (-1), then ▁+ab (-3)
  EXPECT_EQ(tok->encode("a b", {}).ids, (Ids{5, 2, 4}));  // ▁a ▁ b
  EXPECT_EQ(tok->encode("ab", {true, false}).ids, (Ids{1, 7}));
  EXPECT_EQ(tok->encode("a<s>ab", {false, true}).ids, (Ids{5, 1, 7}));  // the prefix starts anew
  EXPECT_EQ(tok->encode("\xC3\xA9", {}).ids, (Ids{2, 8 + 0xC3, 8 + 0xA9}));
  EXPECT_EQ(tok->encode("\xFF", {}).ids, (Ids{2, 8 + 0xFF}));
  EXPECT_EQ(tok->encode("", {}).ids, Ids{});
}

TEST(SentencePieces, OneUnknownForARun) {
  const auto tok = make_tokenizer(spm_metadata(false));
  const Encoding out = tok->encode("xyza", {});
  EXPECT_EQ(out.ids, (Ids{2, 0, 3}));
  EXPECT_EQ(out.spans[1].begin, 0u);
  EXPECT_EQ(out.spans[1].end, 3u);
}

TEST(SentencePieces, DecodeTakesThePrefixAway) {
  const auto tok = make_tokenizer(spm_metadata(true));
  EXPECT_EQ(tok->decode_bytes({1, 7, 5}, {true, false}), "ab a");
  EXPECT_EQ(tok->decode_bytes({7}, {false, true}), " ab");
  EXPECT_EQ(tok->decode_bytes({8 + 0xC3, 8 + 0xA9}, {}), "\xC3\xA9");
}

TEST(Stream, HoldsBackHalfACharacter) {
  StreamDecoder stream(make_tokenizer(spm_metadata(true)), {});
  EXPECT_EQ(stream.push(8 + 0xC3), "");
  EXPECT_EQ(stream.push(8 + 0xA9), "\xC3\xA9");
  EXPECT_EQ(stream.push(8 + 0xF0), "");
  EXPECT_EQ(stream.push(3),
            "\xEF\xBF\xBD"
            "a");
  EXPECT_EQ(stream.push(8 + 0xE2), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
  EXPECT_THROW(stream.push(8 + 256), ArgumentError);
}

TEST(Families, UnknownOnesAreRefused) {
  Metadata m("hand.gguf");
  add(m, "model", "string", std::string("t5"));
  EXPECT_THROW(make_tokenizer(m), FormatError);
  EXPECT_THROW(make_tokenizer(Metadata("empty.gguf")), FormatError);
  EXPECT_THROW(open_tokenizer("/nonexistent/file.gguf"), FormatError);
}

}  // namespace
}  // namespace cutaway

// A SentencePiece model file, tokenizer.model: the protobuf message ModelProto of sentencepiece_model.proto,
// checked in full.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/vocab.h"

namespace cutaway {

// NormalizerSpec.
struct SpmNormalizerSpec {
  std::string charsmap;  // precompiled_charsmap: "" has no rules
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

struct SpmFile {
  enum class Model { unigram = 1, bpe = 2 };
  Model model = Model::unigram;
  std::vector<std::string> pieces;  // [n]
  std::vector<double> scores;       // [n], values of a float32
  std::vector<TokenType> types;     // [n]
  bool byte_fallback = false, whitespace_as_suffix = false;
  std::string unk_surface = " \xE2\x81\x87 ", unk = "<unk>", bos = "<s>", eos = "</s>", pad = "<pad>";
  SpmNormalizerSpec normalizer, denormalizer;
};

// FormatError naming the file and the part that is damaged; UnsupportedError for a kind of model that is not
// read.
SpmFile read_spm(std::string_view content, const std::string& path);

}  // namespace cutaway

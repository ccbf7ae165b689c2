#include "tokenizer/spm_file.h"

#include <cmath>

#include "core/error.h"
#include "format/protobuf.h"
#include "format/utf8.h"

namespace cutaway {
namespace {

using format::ProtoReader;
using format::shown;

void read_piece(std::string_view message, const std::string& path, SpmFile& out) {
  ProtoReader reader(message, text("{}: piece {}", path, out.pieces.size()));
  std::string piece;
  float score = 0;
  int32_t type = 1;
  while (reader.next()) {
    switch (reader.field()) {
      case 1:
        piece = reader.utf8();
        break;
      case 2:
        score = reader.float32();
        break;
      case 3:
        type = reader.int32();
        break;
      default:
        reader.unknown_field();
    }
  }
  if (piece.empty()) reader.fail("it is empty; expected a text");
  if (!std::isfinite(score)) reader.fail(text("its score is {}, expected a finite number", score));
  if (type < 1 || type > 6) {
    reader.fail(text(
        "it has type {}, expected 1 (normal), 2 (unknown), 3 (control), 4 (user-defined), 5 (unused) or 6 "
        "(byte)",
        type));
  }
  if (type == 6 && byte_of_piece(piece) < 0)
    reader.fail(text("'{}' is called a byte, expected a piece such as <0x0A>", shown(piece)));
  out.pieces.push_back(std::move(piece));
  out.scores.push_back(score);
  out.types.push_back(static_cast<TokenType>(type));
}

// What training was told and encoding has no use for: input, sizes, threads and the like.
bool is_of_training(uint32_t field) {
  return field <= 7 || (field >= 10 && field <= 23) || field == 25 || field == 26 ||
         (field >= 30 && field <= 34) || field == 36 || (field >= 40 && field <= 43) ||
         (field >= 49 && field <= 54);
}

void read_trainer(std::string_view message, const std::string& path, SpmFile& out) {
  ProtoReader reader(message, path + ": trainer_spec");
  while (reader.next()) {
    switch (reader.field()) {
      case 3: {
        const int32_t type = reader.int32();
        if (type == 3 || type == 4) {
          throw UnsupportedError(
              text("{}: trainer_spec: model_type is {}, which is not supported; supported are "
                   "UNIGRAM and BPE",
                   path, type == 3 ? "WORD" : "CHAR"));
        }
        if (type != 1 && type != 2)
          reader.fail(text("model_type is {}, expected 1 (UNIGRAM) or 2 (BPE)", type));
        out.model = static_cast<SpmFile::Model>(type);
        break;
      }
      case 24:
        out.whitespace_as_suffix = reader.boolean();
        break;
      case 35:
        out.byte_fallback = reader.boolean();
        break;
      case 44:
        out.unk_surface = reader.utf8();
        break;
      case 45:
        out.unk = reader.utf8();
        break;
      case 46:
        out.bos = reader.utf8();
        break;
      case 47:
        out.eos = reader.utf8();
        break;
      case 48:
        out.pad = reader.utf8();
        break;
      default:
        if (!is_of_training(reader.field())) reader.unknown_field();
    }
  }
}

void read_normalizer(std::string_view message, std::string where, SpmNormalizerSpec& out) {
  ProtoReader reader(message, std::move(where));
  while (reader.next()) {
    switch (reader.field()) {
      case 1:  // the name of the rules, and the rules before they were compiled
      case 6:
        reader.utf8();
        break;
      case 2:
        out.charsmap = reader.bytes();
        break;
      case 3:
        out.add_dummy_prefix = reader.boolean();
        break;
      case 4:
        out.remove_extra_whitespaces = reader.boolean();
        break;
      case 5:
        out.escape_whitespaces = reader.boolean();
        break;
      default:
        reader.unknown_field();
    }
  }
}

}  // namespace

SpmFile read_spm(std::string_view content, const std::string& path) {
  SpmFile out;
  ProtoReader reader(content, path);
  while (reader.next()) {
    switch (reader.field()) {
      case 1:
        read_piece(reader.bytes(), path, out);
        break;
      case 2:
        read_trainer(reader.bytes(), path, out);
        break;
      case 3:
        read_normalizer(reader.bytes(), path + ": normalizer_spec", out.normalizer);
        break;
      case 4:  // texts to test the model with
        reader.bytes();
        break;
      case 5:
        read_normalizer(reader.bytes(), path + ": denormalizer_spec", out.denormalizer);
        break;
      default:
        reader.unknown_field();
    }
  }
  int unknown = 0, bytes = 0;
  for (const TokenType type : out.types) {
    unknown += type == TokenType::unknown;
    bytes += type == TokenType::byte;
  }
  if (unknown != 1)
    throw FormatError(text("{}: {} pieces are of type 2 (unknown), expected one", path, unknown));
  if (bytes != (out.byte_fallback ? 256 : 0)) {
    throw FormatError(text("{}: {} pieces are of type 6 (byte), expected {}: byte_fallback is {}", path,
                           bytes, out.byte_fallback ? 256 : 0, out.byte_fallback ? "on" : "off"));
  }
  return out;
}

}  // namespace cutaway

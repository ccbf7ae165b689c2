// A vocabulary, whatever file it came from, checked in full before any text sees it.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "format/checkpoint.h"

namespace cutaway {

// SentencePiece's numbering (sentencepiece_model.proto), which GGUF took over.
enum class TokenType : uint8_t { normal = 1, unknown, control, user_defined, unused, byte };

class Vocab {
 public:
  // All types normal; FormatError, naming `what` of the file, for no pieces, too many, or one that is there
  // twice. holes: "" is no piece but an id that the file leaves out; its type is unused.
  Vocab(std::string path, std::vector<std::string> pieces, std::string_view what, bool holes = false);
  // Of a GGUF file (tokenizer.ggml.*); FormatError naming file and key. normalizes: the family reads the keys
  // of SentencePiece's normaliser itself; otherwise a file that has them is refused.
  explicit Vocab(const Metadata& metadata, bool normalizes = false);
  // Of n tokens whose file has no spellings: they are made, and looked up, as they are asked for, and
  // `pieces` stays empty.
  struct Spelling {
    std::function<std::string(int32_t)> piece;
    std::function<int32_t(std::string_view)> find;  // -1 when absent
  };
  Vocab(std::string path, size_t n, Spelling spelling);
  Vocab(Vocab&&) = default;
  Vocab(const Vocab&) = delete;  // the index points into the pieces
  Vocab& operator=(const Vocab&) = delete;

  int32_t size() const { return static_cast<int32_t>(types.size()); }
  std::string piece(int32_t id) const { return spelling_.piece ? spelling_.piece(id) : pieces[id]; }
  int32_t find(std::string_view piece) const {  // -1 when absent
    if (spelling_.find) return spelling_.find(piece);
    const auto it = index_.find(piece);
    return it == index_.end() ? -1 : it->second;
  }
  void name(std::string_view special, int32_t id) { specials.emplace_back(special, id); }
  int32_t special(std::string_view name) const;  // "bos", "eos", ...: -1 when the file names none
  // Tokens that stand for themselves in a text, whatever surrounds them: user-defined ones, and control and
  // unknown ones where special tokens are asked for.
  bool is_special(int32_t id) const {
    return types[id] == TokenType::control || types[id] == TokenType::unknown;
  }
  bool is_added(int32_t id) const { return is_special(id) || types[id] == TokenType::user_defined; }

  std::string path;                                                 // of the file, for messages
  std::vector<std::string> pieces;                                  // as the file spells them
  std::vector<TokenType> types;                                     // [size]
  std::vector<std::pair<std::string, int32_t>> specials;            // name -> id, those that the file gives
  std::optional<bool> add_bos, add_eos, add_space_prefix;           // nothing where the file is silent
  std::string pre;                                                  // tokenizer.ggml.pre, "" where absent
  std::vector<std::pair<std::string, std::string>> chat_templates;  // "default" first, then the named ones

 private:
  void read_types(const Metadata& metadata);
  void read_specials(const Metadata& metadata);
  std::unordered_map<std::string_view, int32_t> index_;
  Spelling spelling_;
};

// The byte that a byte token spells ("<0x0A>" -> 10), or -1.
int byte_of_piece(std::string_view piece);

// FormatError if the file has a key tokenizer.ggml.* that nobody read: it might change the ids.
void refuse_unread(const Metadata& metadata);

}  // namespace cutaway

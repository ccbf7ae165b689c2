// Text to token ids and back. Everything is const after construction, so one tokenizer serves many threads.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "format/checkpoint.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/aligned_text.h"
#include "tokenizer/pretokenize.h"
#include "tokenizer/vocab.h"
#include "tokenizer/word_model.h"

namespace cutaway {

struct EncodeOptions {
  bool add_special_tokens = false;  // BOS and EOS, where the file's flags say so
  bool parse_special = false;  // control tokens in the text become ids; else they are text like any other
};

struct TracedPiece {
  Span span;
  Rule rule;
  size_t first, last;  // its tokens: ids [first, last)
  std::vector<WordStep> merges;
};

struct Encoding {
  std::vector<int32_t> ids;
  std::vector<Span> spans;          // of each id
  std::string dropped;              // bytes that the vocabulary has no token for, in order
  std::vector<TracedPiece> pieces;  // filled for explain() only
};

struct DecodeOptions {
  bool skip_special_tokens = false;
  bool continuation = false;  // the ids go on from others: a leading space is text, no space prefix
};

// A decoding under way: ids in, text out as it becomes certain.
class DecodeStream {
 public:
  virtual ~DecodeStream() = default;
  virtual std::string push(int32_t id) = 0;  // UTF-8
  virtual std::string finish() = 0;          // what is left; the stream starts anew
};

class Tokenizer {
 public:
  explicit Tokenizer(Vocab vocab) : vocab_(std::move(vocab)) {}
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  virtual Encoding encode(std::string_view text, const EncodeOptions& options, bool trace = false) const;

  // The bytes of one id. at_start: nothing, or a token that restarts the space prefix, came before it.
  virtual std::string_view bytes(int32_t id, bool at_start) const;
  // Does the text after this token start anew, with a space prefix of its own?
  bool restarts(int32_t id) const {
    return vocab_.types[id] == TokenType::control || vocab_.types[id] == TokenType::user_defined;
  }
  virtual std::string decode_bytes(const std::vector<int32_t>& ids, const DecodeOptions& options) const;
  // UTF-8: bytes that are none become U+FFFD.
  virtual std::string decode(const std::vector<int32_t>& ids, const DecodeOptions& options) const;
  virtual std::unique_ptr<DecodeStream> stream(const DecodeOptions& options) const;
  void check_id(int64_t id) const;  // ArgumentError with the id and the size

  const Vocab& vocab() const { return vocab_; }
  virtual const char* model() const = 0;  // tokenizer.ggml.model
  virtual bool space_prefix() const = 0;  // text is encoded as if a space stood before it
  virtual bool adds_bos() const = 0;
  virtual bool adds_eos() const = 0;
  std::vector<int32_t> stop_ids() const;          // eos, eot, eom: ascending, each once
  virtual std::string missing_bytes() const = 0;  // bytes that no token spells, ascending

 protected:
  static void check_length(std::string_view text);  // ArgumentError
  // The text as the vocabulary sees it; false: as it is. origin[i] is the byte of the given text that byte i
  // of changed stands for, with one entry more for the end.
  virtual bool normalize(std::string_view text, std::string& changed, std::vector<uint32_t>& origin) const;
  // Encodes bytes [begin, end) of the normalised text, in which no added token is left.
  virtual void encode_text(std::string_view text, size_t begin, size_t end, bool trace,
                           Encoding& out) const = 0;
  // Does this added token swallow the white space after it?
  virtual bool eats_spaces(int32_t) const { return false; }
  // Every family is final and calls this last in its constructor: checks and look-ups that need its
  // functions.
  void finish();

  Vocab vocab_;
  std::vector<std::string> bytes_;  // what each id decodes to: filled by the constructor of the family

 private:
  AddedTokens always_, special_;  // without and with control and unknown tokens
};

// Decodes ids one at a time and never hands out half a character.
class StreamDecoder {
 public:
  StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, const DecodeOptions& options)
      : tokenizer_(std::move(tokenizer)), stream_(tokenizer_->stream(options)) {}
  std::string push(int32_t id) {
    tokenizer_->check_id(id);
    return stream_->push(id);
  }
  std::string finish() { return stream_->finish(); }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<DecodeStream> stream_;
};

// FormatError, naming file and key, where the metadata holds no vocabulary of a supported kind.
std::shared_ptr<Tokenizer> make_tokenizer(const Metadata& metadata);
// The same from a file or a folder, which is told by what is in it (tokenizer_files.def).
std::shared_ptr<Tokenizer> open_tokenizer(const std::string& path);

#define TOKENIZER(function, name) std::shared_ptr<Tokenizer> make_##function(const Metadata& metadata);
#include "tokenizer/tokenizers.def"
#undef TOKENIZER

}  // namespace cutaway

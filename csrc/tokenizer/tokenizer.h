// Text to token ids and back. Everything is const after construction, so one tokenizer serves many threads.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/checkpoint.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/aligned_text.h"
#include "tokenizer/flat_strings.h"
#include "tokenizer/id_buffer.h"
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
  std::string normalized{};  // what the model was given, as bytes; of an added token nothing
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
  virtual std::string push(int32_t id) = 0;  // UTF-8, never half a character
  virtual std::string finish() = 0;  // what is left: a cut character becomes U+FFFD; the stream starts anew
};

class Tokenizer {
 public:
  explicit Tokenizer(Vocab vocab) : vocab_(std::move(vocab)) {}
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  virtual Encoding encode(std::string_view text, const EncodeOptions& options, bool trace = false) const;
  // The same without spans, and the number of ids alone: what programs call again and again.
  virtual void encode_ids(std::string_view text, const EncodeOptions& options, IdBuffer& out,
                          std::string& dropped) const;
  virtual size_t count(std::string_view text, const EncodeOptions& options) const;

  // The bytes of one id. at_start: nothing, or a token that restarts the space prefix, came before it.
  virtual std::string_view bytes(int32_t id, bool at_start) const;
  // Does a text start after this token, so that the next one loses its space prefix? at_start: was it so
  // before it? shown: false where the token is left out.
  virtual bool starts_after(int32_t id, bool at_start, bool shown) const;
  // Is this token left out where special tokens are not asked for?
  virtual bool hides(int32_t id) const { return vocab_.is_special(id); }
  // Has the vocabulary rules for the decoded text as a whole (SentencePiece's denormalizer)?
  virtual bool rewrites() const { return false; }
  virtual std::string rewritten(const std::string& decoded) const { return decoded; }
  virtual std::string decode_bytes(const int32_t* ids, size_t n, const DecodeOptions& options) const;
  std::string decode_bytes(const std::vector<int32_t>& ids, const DecodeOptions& options) const {
    return decode_bytes(ids.data(), ids.size(), options);
  }
  // As text; where bytes are no UTF-8, whoever reads it puts U+FFFD, but for families with rules of their
  // own.
  virtual std::string decode(const int32_t* ids, size_t n, const DecodeOptions& options) const {
    return decode_bytes(ids, n, options);
  }
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
  static void check_length(std::string_view text);  // ArgumentError above 1 GiB
  // The text as the vocabulary sees it; false: as it is. origin[i] is the byte of the given text that byte i
  // of changed stands for, with one entry more for the end.
  virtual bool normalize(std::string_view text, std::string& changed, std::vector<uint32_t>& origin) const;
  // Encodes bytes [begin, end) of the normalised text, in which no added token is left.
  virtual void encode_text(std::string_view text, size_t begin, size_t end, bool trace,
                           Encoding& out) const = 0;
  // The same without spans. The family may have a faster way than encode_text.
  virtual void encode_text_ids(std::string_view text, size_t begin, size_t end, IdBuffer& out,
                               std::string& dropped) const;
  virtual size_t count_text(std::string_view text, size_t begin, size_t end) const;
  // Is this added token cut out of the given text before the text is encoded? false: encode_text looks for
  // it.
  virtual bool cuts(int32_t) const { return true; }
  // How this added token is written in a text.
  virtual std::string_view written(int32_t id) const { return bytes_[id]; }
  // What add_special_tokens puts first and last, -1: nothing.
  virtual int32_t first_id() const { return vocab_.special("bos"); }
  virtual int32_t last_id() const { return vocab_.special("eos"); }
  // Are there tokens that decode otherwise at the start of a text, or rules for the text as a whole?
  virtual bool depends_on_start() const { return space_prefix(); }
  // Does this token lose its first space at the start of a text?
  virtual bool has_space_prefix(int32_t id) const;
  // Does this added token swallow the white space after it?
  virtual bool eats_spaces(int32_t) const { return false; }
  // Every family is final and calls this last in its constructor: checks and look-ups that need its
  // functions.
  void finish();

  Vocab vocab_;
  FlatStrings bytes_;  // what each id decodes to: set by the constructor of the family

 private:
  // text(begin, end) of what lies between added tokens, added(id, begin, end) of those and of BOS and EOS.
  template <class OnText, class OnAdded>
  void walk(std::string_view seen, const EncodeOptions& options, const OnText& text,
            const OnAdded& added) const;

  AddedTokens always_, special_;  // without and with control and unknown tokens
};

// Decodes ids one at a time, and keeps its tokenizer.
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

struct OpenOptions {
  std::string pattern;            // the pre-tokenizer of a rank file that is not known
  std::string encoding;           // what a rank file must be, such as "cl100k_base"
  std::optional<bool> lowercase;  // vocab.txt: nothing: tell by its entries
  std::string pack_folder;        // where a rank file that is known leaves its pack file; empty: nowhere
};
// The same from a file, whose content tells its format (tokenizer_files.def), or from a model folder.
std::shared_ptr<Tokenizer> open_tokenizer(const std::string& path, const OpenOptions& options = {});
std::shared_ptr<Tokenizer> open_tokenizer_folder(const std::string& path, const OpenOptions& options);
// An encoding from its pack file (rank_pack.h); null where there is no sound one.
std::shared_ptr<Tokenizer> open_rank_pack(const std::string& folder, const std::string& encoding);
std::string whole_tokenizer_file(const std::string& path);  // FormatError above 1 GiB

#define TOKENIZER_FILE(function, what, takes) \
  bool is_##function(std::string_view head);  \
  std::shared_ptr<Tokenizer> open_##function(const std::string& path, const OpenOptions& options);
#include "tokenizer/tokenizer_files.def"
#undef TOKENIZER_FILE

#define TOKENIZER(function, name) std::shared_ptr<Tokenizer> make_##function(const Metadata& metadata);
#include "tokenizer/tokenizers.def"
#undef TOKENIZER

}  // namespace cutaway

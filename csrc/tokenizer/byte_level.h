// Byte-level BPE at speed: a pre-tokenizer, a model, and the words that were seen before. Gives what cutting
// the text and asking the model about every piece would give. Safe for many threads at once.
#pragma once
#include <memory>
#include <string>

#include "tokenizer/byte_pairs.h"
#include "tokenizer/id_buffer.h"
#include "tokenizer/pretokenize.h"
#include "tokenizer/word_cache.h"

namespace cutaway {

class ByteLevel {
 public:
  ByteLevel(Pretokenizer pretokenizer, std::shared_ptr<const BytePairModel> model)
      : pretokenizer_(pretokenizer), model_(std::move(model)) {
    seed();
  }

  const Pretokenizer& pretokenizer() const { return pretokenizer_; }
  const BytePairModel& model() const { return *model_; }

  // Appends the ids of a text without added tokens; dropped: bytes that the vocabulary has no token for.
  void encode(std::string_view text, IdBuffer& out, std::string& dropped) const;
  size_t count(std::string_view text) const;  // of the ids that encode() gives

 private:
  template <class Sink>
  void run(std::string_view text, Sink& sink, std::string& dropped) const;
  template <class Sink>
  void long_word(std::string_view word, const char* end, WordCache& cache, Sink& sink) const;
  struct Probe {
    WordCache::Key key;
    uint32_t place;
  };
  template <class Sink>
  void other_word(std::string_view word, const Probe& probe, bool whole, WordCache& cache, Sink& sink) const;
  template <class Sink>
  void parts(std::string_view word, const char* end, WordCache& cache, Sink& sink) const;
  void seed();
  uint32_t part_flag() const { return model_->takes_whole_words() ? WordCache::kPart : 0; }
  bool has_unknown(std::string_view word) const;

  Pretokenizer pretokenizer_;
  std::shared_ptr<const BytePairModel> model_;
  mutable CachePool caches_;
};

}  // namespace cutaway

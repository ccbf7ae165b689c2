// Decoders of a tokenizer.json: a chain of steps from the pieces of the tokens to text. Every step is fed as
// the tokens come, and hands on what it can, so that one implementation serves decode() and streams.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/hf/part.h"

namespace cutaway::hf {

struct DecodeMode {
  bool exact = false;         // bytes that are not UTF-8 stay; else they become U+FFFD, as in the library
  bool continuation = false;  // the tokens go on from others: what is done to the first token is not done
  bool fused = false;         // an earlier step joined all tokens into one
};

// One step at work.
class DecodeStep {
 public:
  virtual ~DecodeStep() = default;
  virtual void take(std::string_view part, bool ends) = 0;  // a part of a token, `ends` with its last one
  virtual void finish() { next->finish(); }                 // there are no more
  DecodeStep* next = nullptr;
};

// A step that looks at whole tokens.
class TokenStep : public DecodeStep {
 public:
  void take(std::string_view part, bool ends) final {
    held_ += part;
    if (!ends) return;
    std::string whole;
    whole.swap(held_);
    token(std::move(whole));
  }

 protected:
  virtual void token(std::string whole) = 0;
  void pass(std::string_view whole) { next->take(whole, true); }

 private:
  std::string held_;
};

using DecodeSteps = std::vector<std::unique_ptr<DecodeStep>>;

class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual void start(DecodeMode& mode, DecodeSteps& steps) const = 0;  // appends its steps
  virtual double growth() const { return 1; }  // at most so many bytes may it make of one
};

std::unique_ptr<Decoder> read_decoder(const Part& part);

#define DECODER(function, type) std::unique_ptr<Decoder> make_decoder_##function(const Part& part);
#include "tokenizer/hf/decoders.def"
#undef DECODER

// A whole decoding: pieces in, text out. decoder: null joins them with spaces.
class Decoding {
 public:
  Decoding(const Decoder* decoder, DecodeMode mode);
  void push(std::string_view piece) { first_->take(piece, true); }
  void finish() { first_->finish(); }
  std::string taken();  // the text that there is since the last call

 private:
  DecodeSteps steps_;
  DecodeStep* first_;
  std::string* out_;
};

}  // namespace cutaway::hf

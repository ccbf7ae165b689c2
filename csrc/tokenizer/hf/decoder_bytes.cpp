// ByteLevel and ByteFallback: pieces that stand for bytes. Fuse: all tokens as one.
#include "format/utf8.h"
#include "tokenizer/hf/alphabet.h"
#include "tokenizer/hf/decoder.h"
#include "tokenizer/unicode.h"
#include "tokenizer/vocab.h"

namespace cutaway::hf {
namespace {

class Letters final : public TokenStep {
 public:
  explicit Letters(bool exact) : exact_(exact) {}
  void finish() override {
    next->take(utf8_replaced(held_), true);
    next->finish();
  }

 protected:
  void token(std::string whole) override {
    if (!append_bytes_of(held_, whole)) held_ += whole;  // spelled as it is
    const size_t done = exact_ ? held_.size() : held_.size() - utf8_unfinished(held_);
    const std::string_view ready = std::string_view(held_).substr(0, done);
    next->take(exact_ ? std::string(ready) : utf8_replaced(ready), false);
    held_.erase(0, done);
  }

 private:
  bool exact_;
  std::string held_;
};

class Bytes final : public TokenStep {
 public:
  explicit Bytes(bool exact) : exact_(exact) {}
  void finish() override {
    flush();
    next->finish();
  }

 protected:
  void token(std::string whole) override {
    if (const int byte = byte_of_piece(whole); byte >= 0) {
      run_.push_back(static_cast<char>(byte));
    } else {
      flush();
      pass(whole);
    }
  }

 private:
  void flush() {  // a run that is no UTF-8 becomes one U+FFFD for each byte
    if (exact_ || format::valid_utf8(run_)) {
      if (!run_.empty()) pass(run_);
    } else {
      for (size_t i = 0; i < run_.size(); ++i) pass("\xEF\xBF\xBD");
    }
    run_.clear();
  }

  bool exact_;
  std::string run_;
};

class Fused final : public DecodeStep {
 public:
  void take(std::string_view part, bool) override { next->take(part, false); }
  void finish() override {
    next->take("", true);
    next->finish();
  }
};

class ByteLevel final : public Decoder {
 public:
  void start(DecodeMode& mode, DecodeSteps& steps) const override {
    steps.push_back(std::make_unique<Letters>(mode.exact));
    mode.fused = true;
  }
};
class ByteFallback final : public Decoder {
 public:
  void start(DecodeMode& mode, DecodeSteps& steps) const override {
    steps.push_back(std::make_unique<Bytes>(mode.exact));
  }
};
class Fuse final : public Decoder {
 public:
  void start(DecodeMode& mode, DecodeSteps& steps) const override {
    steps.push_back(std::make_unique<Fused>());
    mode.fused = true;
  }
};

}  // namespace

std::unique_ptr<Decoder> make_decoder_byte_level(const Part& part) {
  part.boolean("add_prefix_space", true);  // of the pre-tokenizer, which is written with the same members
  part.boolean("trim_offsets", true);
  part.boolean("use_regex", true);
  return std::make_unique<ByteLevel>();
}
std::unique_ptr<Decoder> make_decoder_byte_fallback(const Part&) { return std::make_unique<ByteFallback>(); }
std::unique_ptr<Decoder> make_decoder_fuse(const Part&) { return std::make_unique<Fuse>(); }

}  // namespace cutaway::hf

#include "tokenizer/hf/decoder.h"

#include "tokenizer/hf/kinds.h"

namespace cutaway::hf {
namespace {

constexpr Kind<std::unique_ptr<Decoder> (*)(const Part&)> kKinds[] = {
#define DECODER(function, type) {type, &make_decoder_##function},
#include "tokenizer/hf/decoders.def"
#undef DECODER
};

class Sequence final : public Decoder {
 public:
  explicit Sequence(const Part& part) {
    for (const Part& one : part.parts("decoders")) inner_.push_back(read_decoder(one));
  }
  void start(DecodeMode& mode, DecodeSteps& steps) const override {
    for (const auto& one : inner_) one->start(mode, steps);
  }
  double growth() const override {
    double all = 1;
    for (const auto& one : inner_) all *= one->growth();
    return all;
  }

 private:
  std::vector<std::unique_ptr<Decoder>> inner_;
};

class Joined final : public TokenStep {  // no decoder at all: the pieces with spaces between
 public:
  explicit Joined(bool continuation) : first_(!continuation) {}

 protected:
  void token(std::string whole) override {
    if (!first_) next->take(" ", false);
    first_ = false;
    pass(whole);
  }

 private:
  bool first_;
};

constexpr double kMostGrowth = 4096;

struct Sink final : DecodeStep {
  void take(std::string_view part, bool) override { out += part; }
  void finish() override {}
  std::string out;
};

}  // namespace

std::unique_ptr<Decoder> read_decoder(const Part& part) {
  auto out = maker_of(part, part.type(), kKinds, "decoder")(part);
  part.end();
  if (out->growth() > kMostGrowth) {
    part.fail(text("may make more than {} bytes of one, which no text needs", static_cast<int>(kMostGrowth)));
  }
  return out;
}

std::unique_ptr<Decoder> make_decoder_sequence(const Part& part) { return std::make_unique<Sequence>(part); }

Decoding::Decoding(const Decoder* decoder, DecodeMode mode) {
  if (decoder) {
    decoder->start(mode, steps_);
  } else {
    steps_.push_back(std::make_unique<Joined>(mode.continuation));
  }
  auto sink = std::make_unique<Sink>();
  out_ = &sink->out;
  steps_.push_back(std::move(sink));
  for (size_t i = 0; i + 1 < steps_.size(); ++i) steps_[i]->next = steps_[i + 1].get();
  first_ = steps_.front().get();
}

std::string Decoding::taken() {
  std::string out;
  out.swap(*out_);
  return out;
}

}  // namespace cutaway::hf

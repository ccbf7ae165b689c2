#include "tokenizer/hf/json_tokenizer.h"

#include <algorithm>
#include <mutex>
#include <unordered_set>

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/hf/alphabet.h"
#include "tokenizer/unicode.h"

namespace cutaway::hf {
namespace {

using format::shown;

struct Parts {
  std::unique_ptr<Normalizer> normalizer;
  std::unique_ptr<Cutter> cutter;
  Model model;
  bool from_letters = false;        // the cutter leaves letters, and the model reads bytes
  bool stays_letters = false;       // the model reads letters
  std::unique_ptr<ByteLevel> fast;  // cutter and model in one, where they are no more than a scanner and BPE
  std::unique_ptr<Decoder> decoder;
  std::string decoder_type;
  Around around;
  std::vector<AddedToken> added;     // of one content once
  std::vector<std::string> pieces;   // by id, with the added ones
  std::vector<std::string> decoded;  // by id: the piece as the decoder sees it
};

class JsonTokenizer final : public Tokenizer {
 public:
  JsonTokenizer(Vocab vocab, Parts parts) : Tokenizer(std::move(vocab)), parts_(std::move(parts)) {
    std::vector<AddedToken> given, normalized;
    for (const AddedToken& token : parts_.added) (token.normalized ? normalized : given).push_back(token);
    given_ = AddedSet(std::move(given));
    normalized_ = AddedSet(std::move(normalized));
  }

  const char* model() const override { return parts_.model.kind.c_str(); }
  bool space_prefix() const override { return false; }
  bool adds_bos() const override { return names(parts_.around.before, "bos"); }
  bool adds_eos() const override { return names(parts_.around.after, "eos"); }

  std::string missing_bytes() const override {
    std::string missing;
    for (int b = 0; parts_.model.over_bytes && b < 256; ++b) {
      if (vocab_.find(letter_of(static_cast<unsigned char>(b))) < 0) missing.push_back(static_cast<char>(b));
    }
    return missing;
  }

  Encoding encode(std::string_view given, const EncodeOptions& options, bool trace) const override;
  void encode_ids(std::string_view given, const EncodeOptions& options, IdBuffer& out,
                  std::string& dropped) const override;
  size_t count(std::string_view given, const EncodeOptions& options) const override;

  std::string_view bytes(int32_t id, bool) const override {
    std::call_once(spelled_, [this] { spell(); });
    return spellings_[id];
  }
  std::string decode_bytes(const int32_t* ids, size_t n, const DecodeOptions& options) const override {
    return decode_as(ids, n, options, true);
  }
  std::string decode(const int32_t* ids, size_t n, const DecodeOptions& options) const override {
    return decode_as(ids, n, options, false);
  }
  std::unique_ptr<DecodeStream> stream(const DecodeOptions& options) const override;

  // Has this id a piece to decode, and is it asked for?
  bool decodes(int32_t id, const DecodeOptions& options) const {
    if (vocab_.pieces[id].empty()) return false;
    return !options.skip_special_tokens || !vocab_.is_special(id);
  }
  Decoding decoding(const DecodeOptions& options, bool exact) const {
    return Decoding(parts_.decoder.get(), DecodeMode{exact, options.continuation, false});
  }
  const std::string& decoded(int32_t id) const { return parts_.decoded[id]; }

 protected:
  void encode_text(std::string_view, size_t, size_t, bool, Encoding&) const override {}

 private:
  bool names(const std::vector<int32_t>& ids, const char* name) const {
    const int32_t id = vocab_.special(name);
    return id >= 0 && std::find(ids.begin(), ids.end(), id) != ids.end();
  }
  // Says of which part of which file a text grew beyond measure.
  template <class Step, class Given>
  void rewrite(const char* part, const Step& step, Given& given) const {
    try {
      step.apply(given);
    } catch (const FormatError& problem) {
      throw FormatError(text("{}: {}: {}", vocab_.path, part, problem.what()));
    }
  }
  void encode_stretch(AlignedText text, std::string_view given, bool trace, Encoding& out) const;
  std::string decode_as(const int32_t* ids, size_t n, const DecodeOptions& options, bool exact) const;
  // added(id, span) of every added token, text(aligned) of what lies between, in order.
  template <class OnAdded, class OnText>
  void walk(std::string_view given, const EncodeOptions& options, const OnAdded& on_added,
            const OnText& on_text) const;
  void spell() const;

  Parts parts_;
  AddedSet given_, normalized_;
  mutable std::once_flag spelled_;
  mutable std::vector<std::string> spellings_;  // by id: the bytes it stands for in the middle of a text
};

template <class OnAdded, class OnText>
void JsonTokenizer::walk(std::string_view given, const EncodeOptions& options, const OnAdded& on_added,
                         const OnText& on_text) const {
  check_length(given);
  if (options.add_special_tokens) {
    for (const int32_t id : parts_.around.before) on_added(id, Span{0, 0});
  }
  std::vector<AddedSet::Found> outer, inner;
  given_.find(given, options.parse_special, outer);
  for (const AddedSet::Found& one : outer) {
    if (one.id >= 0) {
      on_added(one.id, Span{static_cast<uint32_t>(one.begin), static_cast<uint32_t>(one.end)});
      continue;
    }
    AlignedText text(given.substr(one.begin, one.end - one.begin), static_cast<uint32_t>(one.begin));
    if (parts_.normalizer) rewrite("normalizer", *parts_.normalizer, text);
    inner.clear();
    normalized_.find(text.view(), options.parse_special, inner);
    for (const AddedSet::Found& part : inner) {
      if (part.id >= 0) {
        on_added(part.id, text.origin(part.begin, part.end));
      } else {
        on_text(text.slice(part.begin, part.end));
      }
    }
  }
  if (options.add_special_tokens) {
    const uint32_t end = static_cast<uint32_t>(given.size());
    for (const int32_t id : parts_.around.after) on_added(id, Span{end, end});
  }
}

Encoding JsonTokenizer::encode(std::string_view given, const EncodeOptions& options, bool trace) const {
  Encoding out;
  walk(
      given, options,
      [&](int32_t id, Span span) {
        out.ids.push_back(id);
        out.spans.push_back(span);
        if (trace) out.pieces.push_back({span, Rule::added_token, out.ids.size() - 1, out.ids.size(), {}});
      },
      [&](AlignedText text) { encode_stretch(std::move(text), given, trace, out); });
  return out;
}

void JsonTokenizer::encode_ids(std::string_view given, const EncodeOptions& options, IdBuffer& out,
                               std::string& dropped) const {
  walk(
      given, options, [&](int32_t id, Span) { out.push(id); },
      [&](AlignedText text) {
        if (parts_.fast) return parts_.fast->encode(text.view(), out, dropped);
        Encoding found;
        encode_stretch(std::move(text), given, false, found);
        out.append(found.ids);
        dropped += found.dropped;
      });
}

size_t JsonTokenizer::count(std::string_view given, const EncodeOptions& options) const {
  size_t n = 0;
  walk(
      given, options, [&](int32_t, Span) { ++n; },
      [&](AlignedText text) {
        if (parts_.fast) {
          n += parts_.fast->count(text.view());
          return;
        }
        Encoding found;
        encode_stretch(std::move(text), given, false, found);
        n += found.ids.size();
      });
  return n;
}

// What explain() shows of a model that reads letters: the bytes that they stand for.
void read_letters(std::string& word, std::vector<WordStep>& steps) {
  const auto read = [](std::string& letters) {
    std::string bytes;
    if (append_bytes_of(bytes, letters)) letters = std::move(bytes);
  };
  const std::string letters = word;
  const auto place = [&](uint32_t at) {  // a letter, one byte
    return static_cast<uint32_t>(
        std::count_if(letters.begin(), letters.begin() + at, [](char c) { return (c & 0xC0) != 0x80; }));
  };
  read(word);
  for (WordStep& step : steps) {
    for (std::string* part : {&step.left, &step.right, &step.joined}) read(*part);
    step.begin = place(step.begin);
    step.end = place(step.end);
  }
}

// A stretch of normalised text with no added token in it.
void JsonTokenizer::encode_stretch(AlignedText text, std::string_view given, bool trace,
                                   Encoding& out) const {
  CutText cut{std::move(text), {}};
  cut.pieces.push_back({0, static_cast<uint32_t>(cut.text.view().size()), Rule::text});
  if (parts_.cutter) rewrite("pre_tokenizer", *parts_.cutter, cut);
  if (parts_.from_letters) out_of_letters(cut);
  const std::string_view seen = cut.text.view();
  std::vector<WordToken> tokens;
  std::vector<WordStep> steps;
  for (const Pretoken& piece : cut.pieces) {
    tokens.clear();
    const size_t first = out.ids.size();
    parts_.model.words->encode(seen.substr(piece.begin, piece.end - piece.begin), tokens,
                               trace ? &steps : nullptr);
    uint32_t covered = 0;
    const auto drop = [&](uint32_t end) {
      if (covered >= end) return;
      const Span hole = cut.text.origin(piece.begin + covered, piece.begin + end);
      out.dropped += given.substr(hole.begin, hole.end - hole.begin);
    };
    for (const WordToken& token : tokens) {
      drop(token.begin);
      covered = token.end;
      out.ids.push_back(token.id);
      out.spans.push_back(cut.text.origin(piece.begin + token.begin, piece.begin + token.end));
    }
    drop(piece.end - piece.begin);
    if (trace) {
      const Span span = cut.text.origin(piece.begin, piece.end);
      std::string given_to_model(seen, piece.begin, piece.end - piece.begin);
      if (parts_.stays_letters) read_letters(given_to_model, steps);
      out.pieces.push_back(
          {span, piece.rule, first, out.ids.size(), std::move(steps), std::move(given_to_model)});
      steps.clear();
    }
  }
}

std::string JsonTokenizer::decode_as(const int32_t* ids, size_t n, const DecodeOptions& options,
                                     bool exact) const {
  Decoding all = decoding(options, exact);
  for (size_t i = 0; i < n; ++i) {
    check_id(ids[i]);
    if (decodes(ids[i], options)) all.push(decoded(ids[i]));
  }
  all.finish();
  return all.taken();
}

// Each piece behind another one, whose text is taken away again.
void JsonTokenizer::spell() const {
  const std::string_view other = "a";
  spellings_.resize(vocab_.pieces.size());
  for (int32_t id = 0; id < vocab_.size(); ++id) {
    if (parts_.decoder_type == "ByteLevel") {
      if (!append_bytes_of(spellings_[id], decoded(id))) spellings_[id] = decoded(id);
    } else if (!vocab_.pieces[id].empty()) {
      Decoding one = decoding({}, true);
      one.push(other);
      if (parts_.decoder) one.push(decoded(id));
      one.finish();
      std::string text = one.taken();
      spellings_[id] = !parts_.decoder             ? decoded(id)
                       : text.rfind(other, 0) == 0 ? text.substr(other.size())
                                                   : text;
    }
  }
}

class JsonStream final : public DecodeStream {
 public:
  JsonStream(const JsonTokenizer& tokenizer, const DecodeOptions& options)
      : tokenizer_(tokenizer), options_(options), decoding_(tokenizer.decoding(options, false)) {}
  std::string push(int32_t id) override {
    if (tokenizer_.decodes(id, options_)) decoding_.push(tokenizer_.decoded(id));
    return decoding_.taken();
  }
  std::string finish() override {
    decoding_.finish();
    std::string out = decoding_.taken();
    decoding_ = tokenizer_.decoding(options_, false);
    return out;
  }

 private:
  const JsonTokenizer& tokenizer_;
  DecodeOptions options_;
  Decoding decoding_;
};

std::unique_ptr<DecodeStream> JsonTokenizer::stream(const DecodeOptions& options) const {
  return std::make_unique<JsonStream>(*this, options);
}

// Gives every added token its id as the library does: the model's if the piece is one of its own, else the
// next free one. A file that says otherwise contradicts itself.
void add_tokens(const Part& file, const std::vector<AddedToken>& given, Parts& parts) {
  std::unordered_map<std::string, int32_t> known;
  for (size_t id = 0; id < parts.pieces.size(); ++id) {
    if (!parts.pieces[id].empty()) known.emplace(parts.pieces[id], static_cast<int32_t>(id));
  }
  std::unordered_map<std::string, size_t> at;
  size_t next = parts.model.count;
  for (const AddedToken& token : given) {
    if (token.content.empty()) continue;
    const auto it = known.find(token.content);
    const int32_t id = it != known.end() ? it->second : static_cast<int32_t>(next++);
    if (id != token.id) {
      file.fail(text("added token '{}' has the id {}, but by its place in the vocabulary it is {}",
                     shown(token.content), token.id, id));
    }
    if (it == known.end()) {
      known.emplace(token.content, id);
      if (static_cast<size_t>(id) >= parts.pieces.size()) parts.pieces.resize(id + 1);
      if (!parts.pieces[id].empty()) {
        file.fail(text("tokens '{}' and '{}' both have the id {}", shown(parts.pieces[id]),
                       shown(token.content), id));
      }
      parts.pieces[id] = token.content;
    }
    const auto [place, is_new] = at.emplace(token.content, parts.added.size());
    if (is_new) parts.added.emplace_back();
    AddedToken& added = parts.added[place->second] = token;
    if (added.normalized && parts.normalizer) {
      AlignedText normal(added.content, 0);
      parts.normalizer->apply(normal);
      added.seen = std::string(normal.view());
    }
  }
  parts.decoded = parts.pieces;
  for (const AddedToken& added : parts.added) parts.decoded[added.id] = added.seen;
}

// add_bos_token and add_eos_token of a folder's tokenizer_config.json, which go before the post-processor.
void apply_flag(std::optional<bool> flag, int32_t id, std::vector<int32_t>& around, const Part& file,
                const char* name) {
  if (!flag) return;
  if (*flag && id < 0) file.fail(text("add_{}_token is true, but no {}_token is named", name, name));
  const auto it = std::find(around.begin(), around.end(), id);
  if (*flag && it == around.end()) around.insert(around.begin(), id);
  if (!*flag && it != around.end()) around.erase(it);
}

}  // namespace

std::shared_ptr<Tokenizer> read_tokenizer(const Source& source, const Settings& settings) {
  const Part file(source, source.text, "");
  if (!file.has("model")) file.fail("member 'model' is missing; expected a tokenizer.json");
  if (file.has("version") && file.string("version") != "1.0") {
    file.unsupported(text("version '{}', expected 1.0", shown(file.string("version"))));
  }
  file.ignore("truncation");  // as transformers: neither is done unless a call asks for it
  file.ignore("padding");
  Parts parts;
  if (file.has("normalizer")) parts.normalizer = read_normalizer(file.part("normalizer"));
  if (file.has("pre_tokenizer")) parts.cutter = read_cutter(file.part("pre_tokenizer"));
  const bool letters = (parts.normalizer && parts.normalizer->makes_alphabet()) ||
                       (parts.cutter && parts.cutter->makes_alphabet());
  parts.model = read_model(file.part("model"), letters);
  parts.stays_letters = letters && !parts.model.over_bytes;
  if (parts.model.over_bytes) {
    const bool written_before = parts.normalizer && parts.normalizer->makes_alphabet();
    parts.from_letters = written_before || !parts.cutter || !parts.cutter->leave_bytes();
    const Pretokenizer scanner = parts.from_letters ? Pretokenizer{} : parts.cutter->scanner();
    if (scanner) {
      parts.fast = std::make_unique<ByteLevel>(scanner, parts.model.over_bytes);
      parts.cutter = scanning_cutter(scanner);
    }
  }
  if (parts.cutter) parts.cutter->prepare();
  if (file.has("decoder")) {
    const Part decoder = file.part("decoder");
    parts.decoder = read_decoder(decoder);
    parts.decoder_type = decoder.type();
  }
  if (file.has("post_processor")) read_processor(file.part("post_processor"), parts.around);
  parts.pieces = parts.model.pieces;
  std::vector<AddedToken> added;
  if (file.has("added_tokens")) {
    for (const Part& one : file.parts("added_tokens")) {
      const uint64_t id = one.integer("id");
      if (id > INT32_MAX) one.fail(text("member 'id' is {}, expected at most {}", id, INT32_MAX));
      added.push_back(read_added(one, static_cast<int32_t>(id)));
      one.end();
    }
  }
  file.end();
  added.insert(added.end(), settings.added.begin(), settings.added.end());
  add_tokens(file, added, parts);

  Vocab vocab(source.path, parts.pieces, "the vocabulary", true);
  std::unordered_set<std::string> special;
  for (const AddedToken& token : parts.added) {
    vocab.types[token.id] = TokenType::user_defined;
    if (token.special) special.insert(token.content);
  }
  for (const AddedToken& token : parts.added) {  // as the library asks: by what the decoder sees
    if (special.count(parts.decoded[token.id])) vocab.types[token.id] = TokenType::control;
  }
  for (const auto& [name, piece] : settings.named) {
    const int32_t id = vocab.find(piece);
    if (id < 0) file.fail(text("the {} token '{}' is not in the vocabulary", name, shown(piece)));
    vocab.specials.emplace_back(name, id);
  }
  for (const int32_t id : settings.stops) {
    const bool known = std::any_of(vocab.specials.begin(), vocab.specials.end(),
                                   [&](const auto& one) { return one.first != "pad" && one.second == id; });
    if (known || id >= vocab.size()) continue;
    const char* name = vocab.special("eos") < 0 ? "eos" : vocab.special("eot") < 0 ? "eot" : "eom";
    if (vocab.special(name) < 0) vocab.specials.emplace_back(name, id);
  }
  if (parts.model.unknown >= 0 && vocab.special("unk") < 0)
    vocab.specials.emplace_back("unk", parts.model.unknown);
  apply_flag(settings.add_bos, vocab.special("bos"), parts.around.before, file, "bos");
  apply_flag(settings.add_eos, vocab.special("eos"), parts.around.after, file, "eos");
  for (const auto& side : {parts.around.before, parts.around.after}) {
    for (const int32_t id : side) {
      if (id >= vocab.size() || vocab.pieces[id].empty()) {
        file.fail(
            text("post_processor: puts the token {} around a text, which is not in the vocabulary", id));
      }
    }
  }
  if (parts.fast) vocab.pre = parts.fast->pretokenizer().name;
  vocab.chat_templates = settings.chat_templates;
  return std::make_shared<JsonTokenizer>(std::move(vocab), std::move(parts));
}

}  // namespace cutaway::hf

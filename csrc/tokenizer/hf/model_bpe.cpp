// BPE. A byte-level vocabulary goes to the fast model over bytes; any other to the general one over
// characters.
#include <unordered_map>

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/byte_pairs.h"
#include "tokenizer/character_pairs.h"
#include "tokenizer/hf/alphabet.h"
#include "tokenizer/hf/model.h"

namespace cutaway::hf {
namespace {

using Merges = std::vector<CharacterPairModel::MergeRule>;
using format::JsonKind;

// "left right" in older files, ["left", "right"] in newer ones.
Merges read_merges(const Part& part) {
  Merges merges;
  format::JsonReader list = part.reader("merges");
  list.array([&] {
    if (list.peek() == JsonKind::array) {
      std::vector<std::string> pair;
      list.array([&] { pair.push_back(list.string()); });
      if (pair.size() != 2) list.fail(text("a merge of {} pieces, expected two", pair.size()));
      merges.emplace_back(std::move(pair[0]), std::move(pair[1]));
      return;
    }
    const std::string line = list.string();
    if (line.rfind("#version", 0) == 0) return;
    const size_t space = line.find(' ');
    if (space == line.npos || line.find(' ', space + 1) != line.npos) {
      list.fail(text("the merge '{}', expected two pieces with one space between", format::shown(line)));
    }
    merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  });
  return merges;
}

// The model over bytes, or null where the vocabulary is not one of bytes, or asks for more than it does.
std::shared_ptr<const BytePairModel> over_bytes(const Part& part, const Model& model, const Merges& merges,
                                                const CharacterPairModel::Options& options) {
  if (!options.continue_prefix.empty() || !options.end_suffix.empty()) return nullptr;
  std::unordered_map<std::string_view, int32_t> index;
  index.reserve(model.pieces.size());
  std::vector<std::string> bytes(model.pieces.size());
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].empty()) continue;
    index.emplace(model.pieces[id], static_cast<int32_t>(id));
    append_bytes_of(bytes[id], model.pieces[id]);
  }
  if (options.unknown || options.byte_fallback) {  // never used where every byte has a token
    for (int b = 0; b < 256; ++b) {
      if (!index.count(letter_of(static_cast<unsigned char>(b)))) return nullptr;
    }
  }
  std::vector<BytePairModel::Rule> rules;
  rules.reserve(merges.size());
  std::string joined;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    joined = left;
    joined += right;
    BytePairModel::Rule rule{};
    for (const auto& [piece, id] : {std::pair(&left, &rule.left), std::pair(&right, &rule.right),
                                    std::pair<const std::string*, int32_t*>(&joined, &rule.id)}) {
      const auto it = index.find(*piece);
      if (it == index.end()) {
        part.fail(
            text("entry {} of the merges, '{} {}', needs the piece '{}', which is not in the vocabulary",
                 rank, format::shown(left), format::shown(right), format::shown(*piece)));
      }
      *id = it->second;
    }
    // Pieces with other characters in them cannot come from a text.
    if (!bytes[rule.left].empty() && !bytes[rule.right].empty()) rules.push_back(rule);
  }
  return BytePairModel::from_merges(std::move(bytes), rules, options.ignore_merges);
}

}  // namespace

Model make_model_bpe(const Part& part, bool letters) {
  Model model;
  read_vocabulary(part, model);
  const Merges merges = read_merges(part);
  if (part.has("dropout") && part.number("dropout") != 0) {
    part.unsupported(
        "member 'dropout' is not 0: merges would be left out at random, other ids at every call");
  }
  CharacterPairModel::Options options;
  options.unknown = part.optional_string("unk_token");
  options.continue_prefix = part.string("continuing_subword_prefix", "");
  options.end_suffix = part.string("end_of_word_suffix", "");
  options.fuse_unknown = part.boolean("fuse_unk", false);
  options.byte_fallback = part.boolean("byte_fallback", false);
  options.ignore_merges = part.boolean("ignore_merges", false);
  if (options.byte_fallback && options.continue_prefix.size() + options.end_suffix.size()) {
    part.unsupported("members 'byte_fallback' and a prefix or suffix of words do not go together");
  }
  if (options.unknown) model.unknown = find_piece(model, *options.unknown);
  if (letters) model.words = model.over_bytes = over_bytes(part, model, merges, options);
  if (!model.words) {
    model.words = std::make_shared<CharacterPairModel>(model.pieces, merges, std::move(options),
                                                       part.path() + ": " + part.place());
  }
  return model;
}

}  // namespace cutaway::hf

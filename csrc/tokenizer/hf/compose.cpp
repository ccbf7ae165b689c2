#include "tokenizer/hf/compose.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "core/error.h"
#include "format/file.h"
#include "format/utf8.h"
#include "tokenizer/hf/classes.h"

namespace cutaway::hf {
namespace {

namespace fs = std::filesystem;
using format::JsonReader;
using format::shown;
using Ids = std::unordered_map<std::string, int32_t>;

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    static constexpr char kHex[] = "0123456789abcdef";
    const unsigned char u = static_cast<unsigned char>(c);
    if (u < 0x20) {
      out += std::string("\\u00") + kHex[u >> 4] + kHex[u & 15];
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + "\"";
}

template <class OnLine>
void each_line(std::string_view text, const OnLine& on_line) {
  for (size_t at = 0, end; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    while (line.ends_with('\r')) line.remove_suffix(1);
    on_line(line);
  }
}

template <class OnWord>
void each_word(std::string_view text, const OnWord& on_word) {
  for (size_t at = 0, end; at < text.size(); at = end + 1) {
    end = std::min(text.find(' ', at), text.size());
    if (at < end) on_word(text.substr(at, end - at));
  }
}

// added_tokens.json, {"piece": id}, which folders have whose tokenizer_config.json has no
// added_tokens_decoder.
void read_added_file(const std::string& folder, Settings& settings) {
  if (!settings.added.empty() || !there(folder, "added_tokens.json")) return;
  const Source source = read_json(folder, "added_tokens.json");
  JsonReader reader(source.text, source.path);
  reader.object([&](const std::string& content) {
    const uint64_t id = reader.unsigned_integer("a token id");
    if (id > INT32_MAX) reader.fail(text("the id {} is above {}", id, INT32_MAX));
    AddedToken token = plain_special(static_cast<int32_t>(id), content);
    token.special = std::any_of(settings.special.begin(), settings.special.end(),
                                [&](const AddedToken& one) { return one.content == content; });
    token.normalized = !token.special;
    settings.added.push_back(std::move(token));
  });
  std::stable_sort(settings.added.begin(), settings.added.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
}

// What the class calls its special tokens, where no file does: those that are there.
void add_defaults(std::string_view specials, const Ids& ids, Settings& settings) {
  each_word(specials, [&](std::string_view one) {
    const std::string name(one.substr(0, one.find('='))), piece(one.substr(one.find('=') + 1));
    const auto is = [&](const auto& known) { return known.first == name; };
    if (!ids.count(piece) || std::any_of(settings.named.begin(), settings.named.end(), is)) return;
    settings.named.emplace_back(name, piece);
    settings.special.push_back(plain_special(-1, piece));
    settings.special.back().lstrip = name == "mask" && piece == "<mask>";  // as RoBERTa's own file has it
  });
}

// "added_tokens": the special tokens that are pieces of the vocabulary; those of settings.added follow later.
std::string added_tokens(const Ids& vocab, const Settings& settings) {
  std::string out;
  std::unordered_map<std::string, const AddedToken*> done;
  for (const AddedToken& token : settings.special) {
    const auto it = vocab.find(token.content);
    if (it == vocab.end() || !done.emplace(token.content, &token).second) continue;
    const auto flag = [](const char* name, bool on) {
      return text(",\"{}\":{}", name, on ? "true" : "false");
    };
    out +=
        text("{}{\"id\":{},\"content\":{}", out.empty() ? "" : ",", it->second, json_string(token.content)) +
        flag("single_word", token.single_word) + flag("lstrip", token.lstrip) + flag("rstrip", token.rstrip) +
        flag("normalized", token.normalized) + ",\"special\":true}";
  }
  return "\"added_tokens\":[" + out + "]";
}

// "post_processor", a comma before it; nothing where one of its tokens is not there.
std::string template_of(std::string_view before, std::string_view after, const Ids& ids,
                        const Settings& settings) {
  if (before.empty() && after.empty()) return "";
  std::string items, tokens;
  bool whole = true;
  const auto put = [&](std::string_view word) {
    std::string piece(word);
    for (const auto& [name, named] : settings.named) {
      if (name == word) piece = named;
    }
    const auto it = ids.find(piece);
    whole = whole && it != ids.end();
    if (!whole) return;
    items += text("{\"SpecialToken\":{\"id\":{},\"type_id\":0}},", json_string(piece));
    const std::string entry =
        text("{}:{\"id\":{},\"ids\":[{}],\"tokens\":[]}", json_string(piece), json_string(piece), it->second);
    if (tokens.find(entry) == tokens.npos) tokens += (tokens.empty() ? "" : ",") + entry;
  };
  each_word(before, put);
  items += "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},";
  each_word(after, put);
  if (!whole) return "";
  items.pop_back();
  return text(",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{}],\"special_tokens\":{{}}}",
              items, tokens);
}

Ids with_added(Ids ids, const Settings& settings) {
  for (const AddedToken& token : settings.added) ids.emplace(token.content, token.id);
  return ids;
}

}  // namespace

bool there(const std::string& folder, const char* name) {
  return fs::is_regular_file(fs::path(folder) / name);
}

Source read_json(const std::string& path) {
  Source source{shown(path), format::read_json_text(format::File(path))};
  JsonReader reader(source.text, source.path);
  reader.skip();  // finds every fault of the form, and names that stand twice
  reader.end();
  return source;
}
Source read_json(const std::string& folder, const char* name) {
  return read_json((fs::path(folder) / name).string());
}

std::string read_text(const std::string& folder, const char* name) {
  const std::string path = (fs::path(folder) / name).string();
  std::string out = format::read_json_text(format::File(path));
  if (!format::valid_utf8(out)) throw FormatError(text("{}: is not UTF-8", shown(path)));
  return out;
}

Source compose_bpe(const std::string& folder, Settings& settings) {
  std::string name = "GPT2Tokenizer";  // who wrote these files first, and wrote no configuration
  bool prefix = false;
  if (there(folder, "tokenizer_config.json")) {
    const Source source = read_json(folder, "tokenizer_config.json");
    const Part config(source, source.text, "");
    name = config.string("tokenizer_class", name);
    prefix = config.boolean("add_prefix_space", false);
  }
  const TokenizerClass known = find_class(name, shown(folder));
  const Source vocab = read_json(folder, "vocab.json");
  Ids ids;
  JsonReader reader(vocab.text, vocab.path);
  reader.names_are_checked();
  reader.object([&](const std::string& piece) {
    const uint64_t id = reader.unsigned_integer("a token id");
    if (id > INT32_MAX) reader.fail(text("the id {} is above {}", id, INT32_MAX));
    ids.emplace(piece, static_cast<int32_t>(id));
  });
  read_added_file(folder, settings);
  const Ids all = with_added(ids, settings);
  add_defaults(known.specials, all, settings);
  std::string merges;
  each_line(read_text(folder, "merges.txt"), [&](std::string_view line) {
    if (line.empty() || line.starts_with("#version")) return;
    if (!merges.empty()) merges += ',';
    merges += json_string(line);
  });
  std::string rest(known.rest);
  const std::string_view hole = "$PREFIX";
  for (size_t at = rest.find(hole); at != rest.npos; at = rest.find(hole)) {
    rest.replace(at, hole.size(), prefix ? "true" : "false");
  }
  return {shown(folder), "{\"model\":{\"type\":\"BPE\"," + std::string(known.model) +
                             "\"vocab\":" + vocab.text + ",\"merges\":[" + merges + "]}," + rest + "," +
                             added_tokens(ids, settings) +
                             template_of(known.before, known.after, all, settings) + "}"};
}

Source compose_wordpiece(const std::string& folder, Settings& settings, std::optional<bool> lowercase) {
  // Classes that do with a vocab.txt what BERT's does.
  static constexpr std::string_view kClasses[] = {
      "BertTokenizer",       "ConvBertTokenizer",  "DistilBertTokenizer",
      "ElectraTokenizer",    "LayoutLMTokenizer",  "LxmertTokenizer",
      "MobileBertTokenizer", "RetriBertTokenizer", "SqueezeBertTokenizer"};
  const Source source = read_json(folder, "tokenizer_config.json");
  const Part config(source, source.text, "");
  std::string name = config.string("tokenizer_class", kClasses[0]);
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  if (std::find(std::begin(kClasses), std::end(kClasses), name) == std::end(kClasses)) {
    std::string names;
    for (const std::string_view one : kClasses) names += (names.empty() ? "" : ", ") + std::string(one);
    config.unsupported(
        text("member 'tokenizer_class' is '{}', which is not known for a vocab.txt; there are: {}",
             shown(name), names));
  }
  if (!config.boolean("do_basic_tokenize", true)) {
    config.unsupported(
        "member 'do_basic_tokenize' is false: text that is cut into words already is not supported");
  }
  if (config.has("never_split")) {
    JsonReader list = config.reader("never_split");
    list.array([&] {
      config.unsupported(text("member 'never_split' has '{}'; words that are never split are not supported",
                              shown(list.string())));
    });
  }
  const auto flag = [](bool on) { return on ? "true" : "false"; };
  const bool lower = lowercase.value_or(config.boolean("do_lower_case", true));
  const bool strip = config.boolean("strip_accents", lower);
  const bool chinese = config.boolean("tokenize_chinese_chars", true);

  Ids ids;
  std::string vocab;
  const std::string path = shown((fs::path(folder) / "vocab.txt").string());
  int32_t next = 0;
  each_line(read_text(folder, "vocab.txt"), [&](std::string_view line) {
    if (!ids.emplace(line, next).second) {
      throw FormatError(text("{}: lines {} and {} are both '{}'", path, ids[std::string(line)] + 1, next + 1,
                             shown(std::string(line))));
    }
    vocab += text("{}{}:{}", next == 0 ? "" : ",", json_string(line), next);
    ++next;
  });
  read_added_file(folder, settings);
  const Ids all = with_added(ids, settings);
  add_defaults("unk=[UNK] pad=[PAD] sep=[SEP] cls=[CLS] mask=[MASK]", all, settings);
  std::string unknown;
  for (const auto& [role, piece] : settings.named) {
    if (role == "unk") unknown = piece;
  }
  if (!ids.count(unknown)) {
    throw FormatError(text("{}: no line is '{}', which words without pieces become", path,
                           shown(unknown.empty() ? "[UNK]" : unknown)));
  }
  return {shown(folder),
          "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":" + json_string(unknown) +
              ",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"vocab\":{" + vocab +
              "}},\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":" +
              flag(chinese) + ",\"strip_accents\":" + flag(strip) + ",\"lowercase\":" + flag(lower) +
              "},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"decoder\":{\"type\":\"WordPiece\","
              "\"prefix\":\"##\","
              "\"cleanup\":true}," +
              added_tokens(ids, settings) + template_of("cls", "sep", all, settings) + "}"};
}

}  // namespace cutaway::hf

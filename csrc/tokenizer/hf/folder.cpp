// A model folder: which of its files hold the tokenizer, and what tokenizer_config.json says beside them.
#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "format/file.h"
#include "format/utf8.h"
#include "tokenizer/hf/compose.h"
#include "tokenizer/hf/json_tokenizer.h"

namespace cutaway::hf {
namespace {

namespace fs = std::filesystem;
using format::JsonKind;
using format::JsonReader;
using format::shown;

constexpr const char* kNamed[] = {"bos", "eos", "unk", "pad", "sep", "cls", "mask"};

// "</s>", or {"content": "</s>", ...}
AddedToken special_token(const Part& config, const std::string& member) {
  AddedToken token = plain_special(-1, "");
  if (config.reader(member).peek() == JsonKind::string) {
    token.content = token.seen = config.string(member);
  } else {
    token = read_added(config.part(member), -1);
    token.special = true;
  }
  return token;
}

void read_named(const Part& config, Settings& settings) {
  for (const char* name : kNamed) {
    const std::string member = std::string(name) + "_token";
    const auto is = [&](const auto& known) { return known.first == name; };
    if (!config.has(member) || std::any_of(settings.named.begin(), settings.named.end(), is)) continue;
    settings.special.push_back(special_token(config, member));
    settings.named.emplace_back(name, settings.special.back().content);
  }
  for (const char* more : {"additional_special_tokens", "extra_special_tokens"}) {
    if (!config.has(more) || config.reader(more).peek() != JsonKind::array) continue;
    JsonReader list = config.reader(more);
    list.array([&] {
      if (list.peek() != JsonKind::string) return list.skip();  // with flags: in added_tokens_decoder too
      settings.special.push_back(plain_special(-1, list.string()));
    });
  }
}

void read_templates(const Part& config, Settings& settings) {
  if (!config.has("chat_template")) return;
  if (config.reader("chat_template").peek() == JsonKind::string) {
    settings.chat_templates.emplace_back("default", config.string("chat_template"));
    return;
  }
  for (const Part& one : config.parts("chat_template")) {
    settings.chat_templates.emplace_back(one.string("name"), one.string("template"));
  }
  std::stable_partition(settings.chat_templates.begin(), settings.chat_templates.end(),
                        [](const auto& one) { return one.first == "default"; });
}

// {"id": {"content": ..., ...}, ...}: what transformers adds to the tokens of tokenizer.json.
void read_added_decoder(const Part& config, Settings& settings) {
  if (!config.has("added_tokens_decoder")) return;
  std::vector<std::string> ids;
  JsonReader reader = config.reader("added_tokens_decoder");
  reader.object([&](const std::string& id) {
    ids.push_back(id);
    reader.skip();
  });
  const Part tokens = config.part("added_tokens_decoder");
  for (const std::string& id : ids) {
    const bool digits = !id.empty() && id.size() < 10 && id.find_first_not_of("0123456789") == id.npos;
    if (!digits) tokens.fail(text("'{}' is no token id", shown(id)));
    settings.added.push_back(read_added(tokens.part(id), static_cast<int32_t>(std::stol(id))));
  }
  std::stable_sort(settings.added.begin(), settings.added.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
}

Settings read_settings(const std::string& folder) {
  Settings settings;
  if (there(folder, "tokenizer_config.json")) {
    const Source source = read_json(folder, "tokenizer_config.json");
    const Part config(source, source.text, "");
    read_named(config, settings);
    if (config.has("add_bos_token")) settings.add_bos = config.boolean("add_bos_token");
    if (config.has("add_eos_token")) settings.add_eos = config.boolean("add_eos_token");
    read_templates(config, settings);
    read_added_decoder(config, settings);
  }
  if (there(folder, "chat_template.jinja")) {  // newer folders have it in a file, which goes before
    std::erase_if(settings.chat_templates, [](const auto& one) { return one.first == "default"; });
    settings.chat_templates.insert(settings.chat_templates.begin(),
                                   {"default", read_text(folder, "chat_template.jinja")});
  }
  if (there(folder, "special_tokens_map.json")) {
    const Source source = read_json(folder, "special_tokens_map.json");
    read_named(Part(source, source.text, ""), settings);
  }
  if (there(folder, "generation_config.json")) {
    const Source source = read_json(folder, "generation_config.json");
    const Part config(source, source.text, "");
    if (config.has("eos_token_id")) {  // one id, or a list of them: all of them end a text
      std::vector<uint64_t> ids;
      JsonReader reader = config.reader("eos_token_id");
      if (reader.peek() == JsonKind::array) {
        reader.array([&] { ids.push_back(reader.unsigned_integer("eos_token_id")); });
      } else {
        ids.push_back(reader.unsigned_integer("eos_token_id"));
      }
      for (const uint64_t id : ids) {
        if (id <= INT32_MAX) settings.stops.push_back(static_cast<int32_t>(id));
      }
    }
  }
  return settings;
}

// Whether text is lower-cased, where the settings ask for nothing that a vocab.txt by itself has not.
std::optional<bool> plain_wordpiece(const Source& composed, const Settings& settings) {
  static constexpr std::string_view kPieces[] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"};
  static constexpr std::string_view kNames[] = {"unk", "cls", "sep", "pad", "mask"};
  const auto plain = [](const AddedToken& token) {
    const bool known = std::find(std::begin(kPieces), std::end(kPieces), token.content) != std::end(kPieces);
    return known && token.special && !token.single_word && !token.lstrip && !token.rstrip;
  };
  const auto named = [](const std::pair<std::string, std::string>& one) {
    const auto* at = std::find(std::begin(kNames), std::end(kNames), one.first);
    return at != std::end(kNames) && one.second == kPieces[at - kNames];
  };
  const Part normalizer = Part(composed, composed.text, "").part("normalizer");
  const bool lower = normalizer.boolean("lowercase");
  const bool as_alone = settings.named.size() == std::size(kNames) && settings.chat_templates.empty() &&
                        !settings.add_bos && !settings.add_eos && settings.stops.empty() &&
                        lower == normalizer.boolean("strip_accents") &&
                        normalizer.boolean("handle_chinese_chars") &&
                        std::all_of(settings.named.begin(), settings.named.end(), named) &&
                        std::all_of(settings.added.begin(), settings.added.end(), plain) &&
                        std::all_of(settings.special.begin(), settings.special.end(), plain);
  return as_alone ? std::optional(lower) : std::nullopt;
}

// Vocabularies that have a name of their own in every folder: tiktoken's ranks and RWKV's.
std::vector<std::string> lone_files(const std::string& folder) {
  std::vector<std::string> out;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool named =
        name.ends_with(".tiktoken") || (name.starts_with("rwkv_vocab") && name.ends_with(".txt"));
    if (named && entry.is_regular_file()) out.push_back(name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

std::shared_ptr<Tokenizer> read_tokenizer_file(const std::string& path) {
  const Source source = read_json(path);
  const Part file(source, source.text, "");
  if (!file.has("model") || file.reader("model").peek() != JsonKind::object) {
    throw FormatError(
        text("{}: is no tokenizer.json, which has its vocabulary in a member 'model'. A vocab.json is read "
             "with the "
             "merges.txt beside it, and settings with the files that they are for: give the folder that "
             "holds them",
             source.path));
  }
  return read_tokenizer(source, {});
}

std::shared_ptr<Tokenizer> read_tokenizer_folder(const std::string& path, const OpenOptions& options) {
  const auto refuse_options = [&](const char* what) {
    if (!options.pattern.empty() || options.lowercase) {
      throw ArgumentError(
          text("{}: {} has no meaning for {}, which says itself how text is cut; leave it out", shown(path),
               options.lowercase ? "lowercase" : "pattern", what));
    }
  };
  if (there(path, "tokenizer.json")) {
    refuse_options("a tokenizer.json");
    return read_tokenizer(read_json(path, "tokenizer.json"), read_settings(path));
  }
  const bool vocab = there(path, "vocab.json"), merges = there(path, "merges.txt");
  if (vocab && merges) {
    refuse_options("vocab.json and merges.txt");
    Settings settings = read_settings(path);
    const Source composed = compose_bpe(path, settings);
    return read_tokenizer(composed, settings);
  }
  if (there(path, "tokenizer.model"))
    return open_tokenizer((fs::path(path) / "tokenizer.model").string(), options);
  if (there(path, "vocab.txt")) {
    if (!there(path, "tokenizer_config.json"))
      return open_tokenizer((fs::path(path) / "vocab.txt").string(), options);
    Settings settings = read_settings(path);
    const Source composed = compose_wordpiece(path, settings, options.lowercase);
    auto read = read_tokenizer(composed, settings);
    const std::optional<bool> plain = plain_wordpiece(composed, settings);
    if (!plain) return read;
    OpenOptions as_file = options;  // what vocab.txt is by itself, and many times as fast
    as_file.lowercase = plain;
    return open_tokenizer((fs::path(path) / "vocab.txt").string(), as_file);
  }
  const std::vector<std::string> alone = lone_files(path);
  if (alone.size() == 1) return open_tokenizer((fs::path(path) / alone[0]).string(), options);
  std::string problem = "the folder has no tokenizer: ";
  if (vocab || merges) {
    problem +=
        vocab ? "it lacks merges.txt beside its vocab.json" : "it lacks vocab.json beside its merges.txt";
  } else if (alone.size() > 1) {
    problem = text("the folder has {} tokenizers, {} and {} among them; give the path of one", alone.size(),
                   shown(alone[0]), shown(alone[1]));
  } else {
    problem +=
        "expected tokenizer.json, or vocab.json and merges.txt, or tokenizer.model, or vocab.txt, or one "
        "file "
        "*.tiktoken or rwkv_vocab*.txt";
  }
  throw UnsupportedError(text("{}: {}", shown(path), problem));
}

}  // namespace cutaway::hf

namespace cutaway {

std::shared_ptr<Tokenizer> open_tokenizer_folder(const std::string& path, const OpenOptions& options) {
  return hf::read_tokenizer_folder(path, options);
}

bool is_tokenizer_json(std::string_view head) {
  const size_t at = head.find_first_not_of(" \t\r\n");
  return at != head.npos && head[at] == '{';
}
std::shared_ptr<Tokenizer> open_tokenizer_json(const std::string& path, const OpenOptions&) {
  return hf::read_tokenizer_file(path);
}

}  // namespace cutaway

// A model folder: tokenizer.json, or vocab.json and merges.txt, and what tokenizer_config.json says beside
// it.
#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "format/file.h"
#include "format/utf8.h"
#include "tokenizer/hf/classes.h"
#include "tokenizer/hf/json_tokenizer.h"

namespace cutaway::hf {
namespace {

namespace fs = std::filesystem;
using format::JsonKind;
using format::JsonReader;
using format::shown;

constexpr const char* kNamed[] = {"bos", "eos", "unk", "pad", "sep", "cls", "mask"};

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

// "</s>", or {"content": "</s>", ...}
std::optional<std::string> piece_of(const Part& config, const std::string& member) {
  if (!config.has(member)) return std::nullopt;
  if (config.reader(member).peek() == JsonKind::string) return config.string(member);
  return config.part(member).string("content");
}

void name_piece(Settings& settings, const char* name, std::optional<std::string> piece) {
  const auto is = [&](const auto& known) { return known.first == name; };
  if (!piece || std::any_of(settings.named.begin(), settings.named.end(), is)) return;
  settings.named.emplace_back(name, std::move(*piece));
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
    for (const char* name : kNamed)
      name_piece(settings, name, piece_of(config, std::string(name) + "_token"));
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
    const Part map(source, source.text, "");
    for (const char* name : kNamed) name_piece(settings, name, piece_of(map, std::string(name) + "_token"));
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

std::string quoted(std::string_view text) {
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

// vocab.json and merges.txt with what their class does to a text, written as the tokenizer.json they would
// be.
Source compose(const std::string& folder) {
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
  std::string merges;
  const std::string lines = read_text(folder, "merges.txt");
  for (size_t at = 0, end; at < lines.size(); at = end + 1) {
    end = std::min(lines.find('\n', at), lines.size());
    std::string_view line(lines.data() + at, end - at);
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || line.rfind("#version", 0) == 0) continue;
    merges += (merges.empty() ? "" : ",") + quoted(line);
  }
  Source out{shown(folder), ""};
  out.text = "{\"model\":{\"type\":\"BPE\"," + std::string(known.model) + "\"vocab\":" + vocab.text +
             ",\"merges\":[" + merges + "]}," + std::string(known.rest) + "}";
  const std::string hole = "$PREFIX";
  for (size_t at = out.text.rfind(hole); at != out.text.npos && at > out.text.size() - known.rest.size() - 2;
       at = out.text.rfind(hole)) {
    out.text.replace(at, hole.size(), prefix ? "true" : "false");
  }
  return out;
}

}  // namespace

std::shared_ptr<Tokenizer> read_tokenizer_file(const std::string& path) {
  return read_tokenizer(read_json(path), {});
}

std::shared_ptr<Tokenizer> read_tokenizer_folder(const std::string& path, const OpenOptions& options) {
  if (there(path, "tokenizer.json"))
    return read_tokenizer(read_json(path, "tokenizer.json"), read_settings(path));
  const bool vocab = there(path, "vocab.json"), merges = there(path, "merges.txt");
  if (vocab && merges) return read_tokenizer(compose(path), read_settings(path));
  for (const char* name : {"tokenizer.model", "vocab.txt"}) {
    if (there(path, name)) return open_tokenizer((fs::path(path) / name).string(), options);
  }
  const char* half = vocab    ? "merges.txt beside its vocab.json"
                     : merges ? "vocab.json beside its merges.txt"
                              : "";
  throw UnsupportedError(text(
      "{}: the folder has no tokenizer: {}", shown(path),
      *half ? std::string("it lacks ") + half : "expected tokenizer.json, or vocab.json and merges.txt"));
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

// A folder with config.json and safetensors: model.safetensors, or the shards that
// model.safetensors.index.json lists, or one .safetensors of another name. Or a folder with the parts of one
// GGUF model and no config.json.
#include <algorithm>
#include <filesystem>
#include <map>

#include "core/error.h"
#include "format/config_json.h"
#include "format/gguf.h"
#include "format/json.h"
#include "format/names.h"
#include "format/safetensors.h"
#include "format/utf8.h"

namespace cutaway::format {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfig = "config.json";
constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

bool exists(const std::string& path) {
  std::error_code failed;
  return fs::exists(path, failed);
}

// The files of a folder that end with `suffix`, sorted by name.
std::vector<std::string> files_with(const std::string& folder, std::string_view suffix) {
  std::vector<std::string> out;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    std::string name = entry->path().filename().string();
    if (name.ends_with(suffix)) out.push_back(std::move(name));
  }
  std::sort(out.begin(), out.end());
  return out;
}

struct ShardIndex {
  std::map<std::string, int> shards;                 // file name -> its index once they are sorted
  std::vector<std::pair<std::string, int>> tensors;  // name -> shard
};

// {"metadata": {...}, "weight_map": {"tensor": "model-00001-of-00002.safetensors", ...}}
class IndexReader {
 public:
  IndexReader(const std::string& path, const std::string& source) : path_(path), source_(source) {}

  ShardIndex read() {
    pass(false);
    int i = 0;
    for (auto& [name, index] : out_.shards) index = i++;
    out_.tensors.reserve(n_tensors_);
    pass(true);
    return std::move(out_);
  }

 private:
  void pass(bool keep) {
    JsonReader json(source_, path_);
    if (keep) json.names_are_checked();
    bool has_map = false;
    json.object([&](const std::string& name) {
      if (name == "metadata") return json.skip();
      if (name != "weight_map") {
        json.fail(text("'{}' is not understood; expected metadata and weight_map", shown(name)));
      }
      has_map = true;
      json.object([&](const std::string& tensor) {
        std::string shard = json.string();
        if (keep) {
          out_.tensors.emplace_back(tensor, out_.shards.at(shard));
        } else {
          ++n_tensors_;
          check_shard_name(json, shard);
          out_.shards.emplace(std::move(shard), 0);
        }
      });
    });
    json.end();
    if (!has_map) json.fail("weight_map is missing");
  }

  // A shard lies in the folder itself: its name must not lead out of it.
  static void check_shard_name(const JsonReader& json, const std::string& name) {
    const bool plain =
        name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos && name[0] != '.';
    if (name.empty() || !plain || !name.ends_with(".safetensors")) {
      json.fail(text("the shard name '{}', expected the plain name of a .safetensors file in this folder",
                     shown(name)));
    }
  }

  const std::string& path_;
  const std::string& source_;
  ShardIndex out_;
  size_t n_tensors_ = 0;
};

// Every tensor of weight_map is in the shard that it names, and the shards hold nothing else.
void check_index(const ShardIndex& index, const std::string& path, const Checkpoint& checkpoint) {
  for (const auto& [name, shard] : index.tensors) {
    const TensorInfo* found = checkpoint.find(name);
    const std::string& file = checkpoint.files[static_cast<size_t>(shard)];
    if (!found || found->file != shard) {
      throw FormatError(
          text("{}: weight_map places tensor '{}' in {}, which does not hold it{}", shown(path), shown(name),
               shown(file),
               found ? "; " + shown(checkpoint.files[static_cast<size_t>(found->file)]) + " does" : ""));
    }
  }
  if (index.tensors.size() == checkpoint.tensors.size()) return;
  const auto name_of = [&](uint32_t i) -> const std::string& { return index.tensors[i].first; };
  const std::vector<uint32_t> order = sort_names(index.tensors.size(), name_of);
  for (const TensorInfo& tensor : checkpoint.tensors) {
    if (find_name(order, tensor.name, name_of)) continue;
    throw FormatError(
        text("{}: tensor '{}' of {} is not in weight_map; the index and the shards do not belong together",
             shown(path), shown(tensor.name), shown(checkpoint.files[static_cast<size_t>(tensor.file)])));
  }
}

void read_shards(const std::string& folder, CheckpointBuilder& builder) {
  const std::string path = folder + "/" + kIndex;
  const std::string source = read_json_text(File(path));
  const ShardIndex index = IndexReader(path, source).read();
  for (const auto& [name, i] : index.shards) {
    const std::string shard = folder + "/" + name;
    if (!exists(shard)) {
      throw FormatError(text("{}: weight_map names the shard '{}', which is not in the folder; fetch it",
                             shown(path), shown(name)));
    }
    read_safetensors(File(shard), builder);
  }
  builder.index_tensors();
  check_index(index, path, builder.checkpoint);
}

// One of these files, if they are parts of one model.
std::optional<std::string> part_of_one_model(const std::vector<std::string>& names) {
  if (names.empty()) return std::nullopt;
  const auto first = part_name(names[0]);
  for (const std::string& name : names) {
    const auto part = part_name(name);
    if (!part || part->stem != first->stem || part->count != first->count) return std::nullopt;
  }
  return names[0];
}

[[noreturn]] void no_weights(const std::string& folder, size_t n_candidates) {
  if (n_candidates > 1) {
    throw FormatError(text("{}: {} .safetensors files but no {}; fetch the index, or pass one of the files",
                           shown(folder), n_candidates, kIndex));
  }
  throw FormatError(text("{}: no safetensors weights, expected {} or {}{}", shown(folder), kSingle, kIndex,
                         files_with(folder, ".bin").empty()
                             ? ""
                             : "; there are PyTorch .bin files, convert them to safetensors"));
}

}  // namespace

bool looks_like_folder(const Probe& probe) { return probe.folder; }
bool suffix_is_folder(const Probe&) { return false; }

Checkpoint open_folder(const Probe& probe) {
  const std::string& folder = probe.path;
  const std::string config = folder + "/" + kConfig;
  if (!exists(config)) {
    const std::vector<std::string> gguf = files_with(folder, ".gguf");
    if (const auto part = part_of_one_model(gguf)) return open_gguf(folder + "/" + *part);
    throw FormatError(text("{}: a folder without {}; expected {} and safetensors, or the path of a file{}",
                           shown(folder), kConfig, kConfig,
                           gguf.empty() ? "" : " such as " + shown(gguf[0])));
  }
  CheckpointBuilder builder;
  Checkpoint& out = builder.checkpoint;
  out.path = folder;
  out.format = "safetensors";
  out.metadata = read_config(config);
  if (exists(folder + "/" + kSingle)) {
    read_safetensors(File(folder + "/" + kSingle), builder);
    builder.index_tensors();
  } else if (exists(folder + "/" + kIndex)) {
    read_shards(folder, builder);
  } else {
    const std::vector<std::string> candidates = files_with(folder, ".safetensors");
    if (candidates.size() != 1) no_weights(folder, candidates.size());
    read_safetensors(File(folder + "/" + candidates[0]), builder);
    builder.index_tensors();
  }
  return std::move(builder.checkpoint);
}

}  // namespace cutaway::format
